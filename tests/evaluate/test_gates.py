import numpy as np
import pytest

from veilleur import VeilleurError
from veilleur.evaluate.gates import requirement
from veilleur.evaluate.metrics import figures

TRUTH = np.array([[1, 0], [1, 0], [0, 0]])
SCORES = figures(TRUTH, np.array([[1, 0], [0, 0], [0, 0]]), TRUTH * 0.9, ("drugs", "maritime"))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("drugs.recall>=0.5", True),
        ("drugs.recall > 0.5", False),
        ("drugs.precision>=1", True),
        ("hamming_loss<=.2", True),
        ("hamming_loss < 0.1", False),
        ("maritime.recall>=0", False),
    ],
)
def test_a_requirement_is_held_against_the_figure(text: str, held: bool) -> None:
    assert requirement(text).check("m", SCORES).held is held


def test_an_undefined_figure_passes_no_gate_and_is_said_to_be_undefined() -> None:
    assert "maritime.recall of m is undefined" in requirement("maritime.recall>=0").check("m", SCORES).sentence


@pytest.mark.parametrize("text", ["", "macro_f1", "macro_f1=0.8", ">=0.8", "macro_f1>=good", "macro_f1>=0.8.1"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(VeilleurError, match="is no requirement"):
        requirement(text)
