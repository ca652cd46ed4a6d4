"""What one cell looks like: missing, a number in one of several notations, a date, or text."""

from __future__ import annotations

import math
import re
from datetime import date
from enum import IntEnum, auto
from functools import lru_cache
from typing import Final

from ferryman.data.numerals import pointed

LARGEST: Final = 3.4028234663852886e38
"""The largest float32: what a number feature can hold. Source: IEEE 754-2019, binary32."""

NULLS: Final = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "NaT", "null", "NULL", "Null", "?", "-", "--", "."}
)
"""What programs and people write where they know nothing (pandas, R, spreadsheets, UCI)."""

WORDS: Final = frozenset({"None", "none", "NONE", "na", "missing", "Missing", "unknown", "Unknown"})
"""Missing values among numbers; among text they may well be a category of their own."""


class Shape(IntEnum):
    """The notations that tell columns apart."""

    MISSING = auto()
    WORD = auto()
    """One of `WORDS`."""

    WHOLE = auto()
    """Digits with a sign at most, without leading zeros."""

    DAY = auto()
    """A whole number that reads as year, month and day: 20240131."""

    POINT = auto()
    """A number with a decimal point or an exponent."""

    COMMA = auto()
    """A number with a decimal comma: 3,14."""

    COMMA_OR_THOUSANDS = auto()
    """1,234: a decimal comma or a thousands separator."""

    THOUSANDS = auto()
    """A number that cannot be read without knowing its thousands separator: 1.234,5 or 1 234."""

    DATE = auto()
    """A date or a time stamp: 2024-01-31, 31.01.2024 12:00."""

    UNIT = auto()
    """A number with its unit beside it: 45 %, $1,499.00."""

    TEXT = auto()


WHOLE: Final = frozenset({Shape.WHOLE, Shape.DAY})
WITH_COMMA: Final = frozenset({Shape.COMMA, Shape.COMMA_OR_THOUSANDS})
MARKED: Final = frozenset({Shape.THOUSANDS, Shape.UNIT})
"""Numbers to a person, but not to a program."""

NUMBERS: Final = WHOLE | WITH_COMMA | {Shape.POINT}
EMPTY: Final = frozenset({Shape.MISSING, Shape.WORD})

_FORMS: Final = (
    (Shape.WHOLE, re.compile(r"[+-]?(0|[1-9]\d*)")),
    (Shape.POINT, re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")),
    (Shape.COMMA_OR_THOUSANDS, re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")),
    (Shape.COMMA, re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")),
    (Shape.THOUSANDS, re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?|[+-]?\d{1,3}([.'’ \u00a0\u202f]\d{3})+(,\d*)?")),
    (Shape.UNIT, re.compile(r"[+-]?[$€£¥]\s?[+-]?\d[\d.,]*|[+-]?\d[\d.,]*\s?[%$€£¥°]")),
    (Shape.DATE, re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?")),
    (Shape.DATE, re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([T ]+\d{1,2}:\d{2}.*)?")),
    (Shape.DATE, re.compile(r"\d{1,2}[- ]?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[-, ]*\d{2,4}.*")),
    (Shape.DATE, re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")),
)


@lru_cache(maxsize=1 << 16)
def shape_of(text: str) -> Shape:
    """The notation of a cell; blanks round it do not count."""
    return measured(text)[0]


@lru_cache(maxsize=1 << 16)
def measured(text: str) -> tuple[Shape, float]:
    """The notation of a cell, and its value; NaN where that is no number. A comma is taken for the decimal mark."""
    bare = text.strip()
    if bare in NULLS:
        return Shape.MISSING, math.nan
    if bare in WORDS:
        return Shape.WORD, math.nan
    for shape, form in _FORMS:
        if form.fullmatch(bare):
            return _number(shape, bare) if shape in NUMBERS else (shape, math.nan)
    return Shape.TEXT, math.nan


def _number(shape: Shape, bare: str) -> tuple[Shape, float]:
    value = float(pointed(bare, "," if "," in bare else "."))
    if abs(value) > LARGEST:
        return Shape.TEXT, math.nan
    return (Shape.DAY if shape is Shape.WHOLE and _is_day(bare) else shape), value


def _is_day(bare: str) -> bool:
    if len(bare) != 8 or not "19000101" <= bare <= "21001231":
        return False
    try:
        date(int(bare[:4]), int(bare[4:6]), int(bare[6:]))
    except ValueError:
        return False
    return True
