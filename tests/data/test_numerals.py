from __future__ import annotations

import math

import pytest

from ferryman.data.numerals import advice, pointed


def value(cell: str, decimal: str) -> float:
    try:
        return float(pointed(cell, decimal))
    except ValueError:
        return math.nan


@pytest.mark.parametrize(
    ("cell", "with_comma", "with_point"),
    [
        ("3,14", 3.14, None),
        ("-0,5", -0.5, None),
        ("1,5e3", 1500.0, None),
        ("12", 12.0, 12.0),
        ("3.14", None, 3.14),
        ("1.234", None, 1.234),
        ("1.234,5", None, None),
        ("1,234.5", None, None),
        ("1,234,567", None, None),
        ("1 234", None, None),
    ],
)
def test_a_number_has_one_decimal_mark_and_nothing_between_its_thousands(
    cell: str, with_comma: float | None, with_point: float | None
) -> None:
    for decimal, expected in ((",", with_comma), (".", with_point)):
        found = value(cell, decimal)
        assert found == expected if expected is not None else math.isnan(found)


@pytest.mark.parametrize(
    ("cell", "decimal", "words"),
    [
        ("3,14", ".", 'say `decimal: ","`'),
        ("3.14", ",", 'say `decimal: "."`'),
        ("1.234,5", ",", "thousands separators are not read: write the number without them"),
        ("1,234,567", ".", "thousands separators are not read: write the number without them"),
        ("1 234", ".", "thousands separators are not read"),
        ("heavy", ".", ""),
        ("", ",", ""),
    ],
)
def test_what_looks_like_a_number_is_told_what_to_try(cell: str, decimal: str, words: str) -> None:
    assert words in advice(cell, decimal)
    assert bool(advice(cell, decimal)) is bool(words)
