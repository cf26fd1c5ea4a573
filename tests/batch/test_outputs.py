import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur.batch.formats import Format
from veilleur.batch.outputs import Record, beside, encoder

TOPICS = ("drugs", "maritime")
ROW: Record = {
    "ref": 7,
    "jour": date(2025, 11, 22),
    "nested": {"a": [1, None]},
    "text": "=HYPERLINK(1)\nligne",
    "topics": ["drugs", "maritime"],
    "scores": {"drugs": 0.9, "maritime": 0.8},
}
OTHER: Record = {"ref": "sept", "text": "b", "topics": [], "scores": {"drugs": 0.1, "maritime": 0.0}, "late": True}


def written(form: Format, *chunks: list[Record], folder: Path) -> bytes:
    coder = encoder(form, TOPICS)
    parts = []
    for number, records in enumerate(chunks):
        parts.append(folder / f"{number}.part")
        parts[-1].write_bytes(coder.encode(records))
    file = io.BytesIO()
    coder.assemble(parts, file)
    return file.getvalue()


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "parquet"])
def test_what_comes_out_does_not_depend_on_the_cuts(form: Format, tmp_path: Path) -> None:
    whole = written(form, [ROW, OTHER, ROW, OTHER], folder=tmp_path)
    assert written(form, [ROW], [OTHER, ROW], [OTHER], folder=tmp_path) == whole
    assert written(form, folder=tmp_path) == written(form, [], folder=tmp_path)


def test_csv_has_a_column_for_each_score_and_runs_no_formula(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", [ROW], [OTHER], folder=tmp_path).decode(), newline="")))
    assert rows[0] == {
        "ref": "7",
        "jour": "2025-11-22",
        "nested": '{"a": [1, null]}',
        "text": "'=HYPERLINK(1)\nligne",
        "topics": "drugs|maritime",
        "score_drugs": "0.9",
        "score_maritime": "0.8",
        "late": "",
    }
    assert rows[1]["late"] == "True"


def test_parquet_keeps_types_and_reconciles_columns(tmp_path: Path) -> None:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(written("parquet", [ROW], [OTHER], folder=tmp_path)))
    first, second = table.to_pylist()
    assert first["jour"] == date(2025, 11, 22)
    assert first["topics"] == ["drugs", "maritime"]
    assert second["scores"] == {"drugs": 0.1, "maritime": 0.0}
    assert (first["ref"], second["ref"]) == ("7", "sept")  # a number here and text there: text
    assert (first["late"], second["late"]) == (None, True)


def test_numbers_that_no_type_holds_together_are_text(tmp_path: Path) -> None:
    from pyarrow import parquet

    content = written("parquet", [{"n": 2**60 + 1}], [{"n": 1.5}], folder=tmp_path)
    assert parquet.read_table(io.BytesIO(content)).to_pylist() == [{"n": str(2**60 + 1)}, {"n": "1.5"}]


def test_a_cell_may_be_as_long_as_a_bulletin(tmp_path: Path) -> None:
    text = "mot " * 100_000
    csv.field_size_limit(131_072)  # as Python begins
    rows = written("csv", [{"text": text}], folder=tmp_path).decode()
    assert csv.field_size_limit(len(text)) == 131_072  # the limit of inputs, which are read in the same process
    assert next(csv.DictReader(io.StringIO(rows, newline="")))["text"] == text


def test_columns_that_bear_our_names_stand_beside_ours() -> None:
    row = {"source": "AFP", "input_source": "Belga", "text": "a", "n": 1}
    ours = {"source": "a.csv", "text": "a"}
    assert beside(row, ours) == {"input_input_source": "AFP", "input_source": "Belga", "n": 1}


def test_a_score_of_the_input_is_kept(tmp_path: Path) -> None:
    row = {"score_drugs": "faible", "score_maritime": "0.8", "scores": {"drugs": 0.9, "maritime": 0.8}}
    (found,) = csv.DictReader(io.StringIO(written("csv", [row], folder=tmp_path).decode(), newline=""))
    assert found == {"input_score_drugs": "faible", "score_drugs": "0.9", "score_maritime": "0.8"}


def test_json_has_no_nan(tmp_path: Path) -> None:
    line = written("jsonl", [{"a": float("nan"), "b": [float("inf")], "c": "\ud800"}], folder=tmp_path)
    assert json.loads(line) == {"a": None, "b": [None], "c": "\ud800"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


ROWS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3).map(lambda columns: {"source": "a", **columns})


@given(rows=st.lists(ROWS, max_size=4))
def test_any_columns_are_written(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.getbasetemp()
    for form in ("jsonl", "csv", "parquet"):
        whole = written(form, rows, folder=folder)
        assert written(form, rows[:1], rows[1:], folder=folder) == whole or form == "parquet"
