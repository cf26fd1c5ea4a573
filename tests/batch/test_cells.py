import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur.batch.cells import harmless, unmarked

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "+33 6 12", "- VNA"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_cells_that_spreadsheets_would_run_are_marked_as_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@given(cell=st.text(alphabet="'=+-@1a,. \t\n", max_size=6))
def test_marks_are_undone_and_marking_twice_changes_nothing(cell: str) -> None:
    if unmarked(cell) == cell:
        assert unmarked(harmless(cell)) == cell
    assert harmless(harmless(cell)) == harmless(cell)
    assert harmless(cell)[:1] not in set("=+-@\t\n") or cell.strip("+-").replace(",", "").replace(".", "").isdigit()
