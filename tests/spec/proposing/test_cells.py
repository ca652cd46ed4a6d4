from __future__ import annotations

import math

import pytest

from ferryman.spec.proposing.cells import Shape, measured, shape_of


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("", Shape.MISSING),
        (" NA ", Shape.MISSING),
        ("-", Shape.MISSING),
        ("?", Shape.MISSING),
        ("none", Shape.WORD),
        ("12", Shape.WHOLE),
        ("-0", Shape.WHOLE),
        ("012", Shape.TEXT),
        ("20240131", Shape.DAY),
        ("20241331", Shape.WHOLE),
        ("3.14", Shape.POINT),
        ("1e-5", Shape.POINT),
        (".5", Shape.POINT),
        ("3,14", Shape.COMMA),
        ("0,125", Shape.COMMA),
        ("1,234", Shape.COMMA_OR_THOUSANDS),
        ("1,234,567", Shape.THOUSANDS),
        ("1.234,5", Shape.THOUSANDS),
        ("1 234", Shape.THOUSANDS),
        ("1,234.5", Shape.THOUSANDS),
        ("45 %", Shape.UNIT),
        ("$1,499.00", Shape.UNIT),
        ("2024-01-31", Shape.DATE),
        ("2024-01-31T12:00:05.25Z", Shape.DATE),
        ("31.01.2024", Shape.DATE),
        ("1/31/24 9:05", Shape.DATE),
        ("31 Jan 2024", Shape.DATE),
        ("9:05", Shape.DATE),
        ("1e39", Shape.TEXT),
        ("1_000", Shape.TEXT),
        ("nano", Shape.TEXT),
        ("3.14.159", Shape.TEXT),
    ],
)
def test_a_cell_has_one_notation(text: str, shape: Shape) -> None:
    assert shape_of(text) is shape


def test_a_number_has_its_value_whatever_its_decimal_mark() -> None:
    assert [measured(text)[1] for text in ("3,5", "3.5", " -2 ", "1,234")] == [3.5, 3.5, -2.0, 1.234]
    assert all(math.isnan(measured(text)[1]) for text in ("", "none", "red", "2024-01-31", "1.234,5"))
