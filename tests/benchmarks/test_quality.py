"""The comparison with peers: what is kept, how differences are told, and that peers learn at all."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest

import veilleur
from veilleur.evaluate.run import Answers
from veilleur.labels.rows import LabelledParagraph, label_matrix
from veilleur.labels.topics import read_topics

SCRIPT = Path(veilleur.__file__).parent / "benchmarks" / "quality.py"
spec = importlib.util.spec_from_file_location("quality", SCRIPT)
assert spec and spec.loader
quality = importlib.util.module_from_spec(spec)
spec.loader.exec_module(quality)

TOPICS = read_topics().ids
Rows = Sequence[LabelledParagraph]


class Oracle(quality.Peer):
    """Reads the labels that it shall guess, and counts its trainings."""

    name, package, module = "oracle", "numpy", "numpy"
    trainings = 0

    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> quality.Predict:
        type(self).trainings += 1
        return lambda asked: 4.0 * label_matrix(asked, topics) - 2.0


def answers(name: str, given: np.ndarray) -> quality.Entrant:
    return quality.Entrant({"test": Answers(name, TOPICS, (0.5,) * len(TOPICS), given.astype(float), given)})


def test_what_is_in_the_work_folder_is_not_trained_again(article_rows: Rows, tmp_path: Path) -> None:
    tests = {"test": article_rows[:20]}
    first = quality.trained(Oracle(), tests, TOPICS, article_rows, tmp_path)
    assert Oracle.trainings == 4  # three folds, and once on all labels
    second = quality.trained(Oracle(), tests, TOPICS, article_rows, tmp_path)
    assert Oracle.trainings == 4
    assert np.array_equal(first.answers["test"].probabilities, second.answers["test"].probabilities)
    assert np.array_equal(first.answers["test"].predicted, label_matrix(article_rows[:20], TOPICS))
    assert first.calibrated_on == "3 folds"
    quality.trained(Oracle(), tests, TOPICS, article_rows[:-1], tmp_path)  # of other labels nothing is kept
    assert Oracle.trainings > 4


def test_the_table_says_how_far_each_model_is_above_the_fine_tune(article_rows: Rows) -> None:
    truth = label_matrix(article_rows, TOPICS)
    entrants = {
        "fine-tune": answers("fine-tune", truth * (np.arange(len(truth)) % 2)[:, None]),
        "all": answers("all", np.ones_like(truth)),
        "right": answers("right", truth),
    }
    _, worse, better = quality.lines(entrants, {"test": article_rows}, TOPICS)
    assert better[:3] == ["test", "right", "1.000 (1.000 to 1.000)"]
    assert better[6].startswith("+")
    assert worse[6].startswith("−")
    assert quality.markdown([worse, better]).count("\n") == 4


def test_patterns_answer_without_training(tmp_path: Path) -> None:
    path = tmp_path / "patterns.py"
    path.write_text(f"PATTERNS = dict.fromkeys({TOPICS!r}, 'navire')", encoding="utf-8")
    rows = [LabelledParagraph("1", "Le Navire a coulé.", ("maritime",)), LabelledParagraph("2", "Il pleut.", ())]
    given = quality.keywords(path, {"test": rows}, TOPICS).answers["test"].predicted
    assert given.tolist() == [[1] * len(TOPICS), [0] * len(TOPICS)]
    path.write_text("PATTERNS = {'drugs': 'drogue'}", encoding="utf-8")
    with pytest.raises(click.ClickException, match="no pattern of cybercrime, migration"):
        quality.keywords(path, {"test": rows}, TOPICS)


@pytest.mark.parametrize("name", ["fasttext", "spacy"])
def test_a_peer_learns_alike_each_time(name: str, article_rows: Rows) -> None:
    pytest.importorskip(name)
    peer = quality.PEERS[name](passes=1)
    first, second = (peer.fit(article_rows, article_rows, TOPICS)(article_rows[:5]) for _ in range(2))
    assert first.shape == (5, len(TOPICS))
    assert np.isfinite(first).all()
    assert np.allclose(first, second)
