"""Numbers as tables write them: with one decimal mark, and without thousands separators."""

from __future__ import annotations

import re
from typing import Final

_COMMA: Final = str.maketrans({",": ".", ".": "?"})
"""A point is no part of a number with a decimal comma: `1.234` would be read as something that nobody can know."""

_SEPARATED: Final = re.compile(r"\s*[+-]?\d[\d.,'’\s]*\d\s*")

_DECIMAL: Final = {mark: re.compile(rf"\s*[+-]?\d*{re.escape(mark)}\d+\s*") for mark in ".,"}


def pointed(cell: str, decimal: str) -> str:
    """The cell with a decimal point, as `float` reads it; text that `float` refuses where it is no such number."""
    return cell.translate(_COMMA) if decimal == "," else cell


def advice(cell: str, decimal: str) -> str:
    """What to try where a cell looks like a number and is none, in brackets; empty where it does not look like one."""
    if not _SEPARATED.fullmatch(cell):
        return ""
    other = "." if decimal == "," else ","
    if _DECIMAL[other].fullmatch(cell):
        return f' (if its {other!r} is the decimal mark, say `decimal: "{other}"`; thousands separators are not read)'
    return " (thousands separators are not read: write the number without them)"
