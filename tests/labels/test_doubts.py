import json
from pathlib import Path

import numpy as np
import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.doubts import doubts
from veilleur.labels.rows import LabelledParagraph


def test_a_wrong_label_is_found_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, lines = [], []
    for number in range(80):
        drugs, maritime = number % 2 == 0, number % 5 == 0
        given = drugs if number != 13 else not drugs  # one label is wrong
        scores = np.clip(np.where([drugs, maritime], 0.93, 0.07) + rng.normal(0, 0.02, 2), 0, 1)
        topics = tuple(topic for topic, has in (("drugs", given), ("maritime", maritime)) if has)
        rows.append(LabelledParagraph(str(number), f"text {number}", topics))
        lines.append(json.dumps({"id": str(number), "scores": dict(zip(("drugs", "maritime"), scores, strict=True))}))
    (tmp_path / "oof.jsonl").write_text("\n".join(lines))
    found = doubts(rows, tmp_path / "oof.jsonl")
    assert found[0].row.id == "13"
    assert found[0].missing == ()
    assert found[0].surplus == ("drugs",)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(VeilleurError, match=r"rows\.jsonl, line 1: is not an out-of-fold prediction"):
        doubts([], tmp_path / "rows.jsonl")
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(VeilleurError, match="holds no out-of-fold prediction"):
        doubts([], tmp_path / "rows.jsonl")
    (tmp_path / "rows.jsonl").write_text('{"id": "1", "scores": {"drugs": 0.1, "maritime": 0.2}}\n')
    with pytest.raises(VeilleurError, match="1 labels are too few"):
        doubts([LabelledParagraph("1", "a", ())], tmp_path / "rows.jsonl")
