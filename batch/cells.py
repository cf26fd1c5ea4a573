"""Cells of CSV and TSV that no spreadsheet runs as a formula. Source: OWASP, "CSV Injection"."""

import re

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
MARK = "'"  # tells spreadsheets that what follows is text


def harmless(cell: str) -> str:
    """Mark what could be a formula as text; a plain number, which may begin with a sign, stays.

    Examples
    --------
    >>> harmless("=HYPERLINK(A1)"), harmless("-12,5"), harmless("Saisie")
    ("'=HYPERLINK(A1)", '-12,5', 'Saisie')
    """
    return f"{MARK}{cell}" if _is_formula(cell) else cell


def unmarked(cell: str) -> str:
    """Undo `harmless`.

    Examples
    --------
    >>> unmarked("'- Bonjour"), unmarked("'Bonjour'")
    ('- Bonjour', "'Bonjour'")
    """
    return cell[1:] if cell.startswith(MARK) and _is_formula(cell[1:]) else cell


def _is_formula(cell: str) -> bool:
    return _FORMULA.match(cell) is not None and _NUMBER.fullmatch(cell) is None
