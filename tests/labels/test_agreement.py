import json
from pathlib import Path
from typing import Any

import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.agreement import agreement


def test_values_computed_by_hand(write_labels: Any) -> None:
    # drugs: 10 paragraphs, both 3, only a 1, only b 2, neither 4.
    in_a, in_b = {0, 1, 2, 3}, {0, 1, 2, 4, 5}
    a = write_labels({f"x.{i}": {"drugs": ["w"]} if i in in_a else {} for i in range(10)}, "a")
    b = write_labels({f"x.{i}": {"drugs": ["w"]} if i in in_b else {} for i in range(10)}, "b")
    found = agreement(a, b)
    drugs = found.topics["drugs"]
    assert (drugs.positives_a, drugs.positives_b, drugs.disagreements) == (4, 5, 3)
    assert drugs.f1 == pytest.approx(2 * 3 / 9)
    # Observed 0.7; by chance 0.4 * 0.5 + 0.6 * 0.5 = 0.5; (0.7 - 0.5) / (1 - 0.5).
    assert drugs.kappa == pytest.approx(0.4)
    # 9 positive, 11 negative values: expected disagreement 2 * 9 * 11 / (20 * 19), observed 3 / 10.
    assert drugs.alpha == pytest.approx(1 - 0.3 / (2 * 9 * 11 / (20 * 19)))
    assert found.macro_f1 == pytest.approx(2 / 3)
    assert (found.n, found.disagreements) == (10, 3)


def test_undefined_values_are_none(write_labels: Any) -> None:
    labels: dict[str, Any] = {"x.1": {"drugs": ["w"]}, "x.2": {"drugs": ["w"]}}
    found = agreement(write_labels(labels, "a"), write_labels(labels, "b"))
    drugs, maritime = found.topics["drugs"], found.topics["maritime"]
    assert (drugs.f1, drugs.kappa, drugs.alpha) == (1.0, None, None)
    assert (maritime.f1, maritime.kappa, maritime.alpha) == (None, None, None)
    assert found.macro_f1 == 1.0
    assert json.loads(json.dumps(found.to_dict()))["topics"]["maritime"]["kappa"] is None


def test_full_agreement_and_order_of_lines(write_labels: Any) -> None:
    labels: dict[str, Any] = {"x.1": {"drugs": ["w"]}, "x.2": {}}
    found = agreement(write_labels(labels, "a"), write_labels(dict(reversed(labels.items())), "b"))
    drugs = found.topics["drugs"]
    assert (drugs.f1, drugs.kappa, drugs.alpha) == (1.0, 1.0, 1.0)


def test_different_paragraphs_are_refused(tmp_path: Path, write_labels: Any) -> None:
    a, b = write_labels({"x.1": {}, "x.2": {}}, "a"), write_labels({"x.1": {}}, "b")
    with pytest.raises(VeilleurError, match=r"articles\.pass-b\.jsonl: does not label the paragraph x\.2"):
        agreement(a, b)
    empty = write_labels({}, "a")
    with pytest.raises(VeilleurError, match="labels no paragraph"):
        agreement(empty, empty)


def test_faulty_passes_are_refused(write_labels: Any) -> None:
    a = write_labels({"x.1": {"drugs": ["w"]}}, "a")
    with pytest.raises(VeilleurError, match="line 2: the topic 'drug' is unknown"):
        agreement(a, write_labels({"x.1": {"drug": ["w"]}}, "b"))
    b = write_labels({"x.1": {}}, "b")
    b.write_text(b.read_text(encoding="utf-8") + '{"id": "x.1", "topics": {"drugs": ["w"]}}\n', encoding="utf-8")
    with pytest.raises(VeilleurError, match=r"line 3: labels x\.1 again"):
        agreement(a, b)
