"""What a column means to a model: a number, a category, or nothing that it could learn from, and what was seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ferryman.spec.proposing.cells import MARKED, NUMBERS, WHOLE, WITH_COMMA, Shape, shape_of
from ferryman.spec.proposing.survey import TEXTS, Column
from ferryman.spec.proposing.words import count, examples, percent, plain, shown

NEARLY_ALL: Final = 0.8
"""From this share of different texts on, a text column tells rows apart and not kinds of rows."""

NEARLY_EMPTY: Final = 0.95
"""From this share of missing cells on, a column says too little to be worth an input."""

MOSTLY: Final = 0.8
"""From this share of numbers (or dates) on, what is not one is taken for a slip."""

FEW: Final = 20
"""Fewer different texts than this are a category, whatever share of the rows they are."""

STAND_INS: Final = ("-99", "-999", "-9999", "-99999", "-99.0", "-999.0", "-9999.0", "-99999.0")
"""Numbers that people write where they know none."""

_IDENTIFIER: Final = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|index|rowid|row_?number|nr|no|key)$|[a-z]I[dD]$|^unnamed")


@dataclass(frozen=True)
class Judgement:
    """What a column is taken for; `kind` is None for one that is left out, and `seen` then says why."""

    kind: Literal["number", "category"] | None
    seen: str


def decimal_mark(columns: Sequence[Column], separator: str) -> Literal[".", ","]:
    """The decimal mark of a file's numbers: what most of its columns of numbers use."""
    commas = sum(_all_numbers(column, ",") and column.count(Shape.COMMA) > 0 for column in columns)
    points = sum(_all_numbers(column, ".") and column.count(Shape.POINT) > 0 for column in columns)
    if commas or points:
        return "," if commas > points else "."
    doubtful = any(_all_numbers(column, ",") and column.count(Shape.COMMA_OR_THOUSANDS) for column in columns)
    # Where the comma separates cells, it hardly marks decimals in them.
    return "," if doubtful and separator != "," else "."


def numbers(column: Column, decimal: str) -> int:
    """How many cells are numbers with this decimal mark."""
    return column.count(*WHOLE, *(WITH_COMMA if decimal == "," else {Shape.POINT}))


def is_number(text: str, decimal: str) -> bool:
    """Whether a cell is a number with this decimal mark."""
    return shape_of(text) in WHOLE | (WITH_COMMA if decimal == "," else {Shape.POINT})


def judge(column: Column, decimal: str) -> Judgement:
    """What the column means to a model."""
    words = column.count(Shape.WORD)
    found = numbers(column, decimal)
    if found and found == column.known:
        # Among numbers a word like `none` is a missing value.
        return _judge_number(column)
    known = column.known + words
    empty = 1 - known / column.rows
    if empty >= NEARLY_EMPTY:
        return Judgement(None, "empty throughout" if not known else f"{percent(empty)} of the cells are missing")
    if column.distinct <= 1 and not column.count(Shape.MISSING) and not (words and column.known):
        return Judgement(None, f"constant: always {_only(column)}")
    if column.count(Shape.DATE) >= MOSTLY * known:
        return Judgement(
            None, f"dates or times ({_span(column)}): for a model write a number, e.g. the days since then"
        )
    if column.count(*NUMBERS, *MARKED) >= MOSTLY * known:
        return Judgement(None, _spoiled(column, decimal))
    return _judge_text(column, empty)


def _all_numbers(column: Column, decimal: str) -> bool:
    return 0 < numbers(column, decimal) == column.known


def _judge_number(column: Column) -> Judgement:
    empty = 1 - column.known / column.rows
    if empty >= NEARLY_EMPTY:
        return Judgement(None, f"{percent(empty)} of the cells are missing")
    if column.minimum == column.maximum and not empty:
        return Judgement(None, f"constant: always {_only(column)}")
    if column.count(Shape.DAY) == column.known:
        span = f"{plain(column.minimum)} to {plain(column.maximum)}"
        return Judgement(None, f"days written as numbers ({span}): for a model write e.g. the days since then")
    why = _identifier(column) or _too_fine(column)
    if why:
        return Judgement(None, why)
    span = f"{plain(column.minimum)} to {plain(column.maximum)}"
    seen = f"{span}, mean {plain(column.total / column.known)}"
    if column.count(*WHOLE) == column.known and column.distinct <= 10:
        seen = f"{count(column.distinct, 'whole number')}, {span} (if they are codes: `kind: category`)"
    return Judgement("number", f"{seen}{_missing(empty)}{_stand_in(column)}")


def _identifier(column: Column) -> str:
    """Why a column of numbers is an identifier; empty when it is none."""
    if column.count(*WHOLE) < column.known or column.distinct_share < 1 or column.known < FEW:
        return ""
    span = f"{plain(column.minimum)} to {plain(column.maximum)}"
    if column.maximum - column.minimum < 1.1 * column.known:
        return f"an identifier: whole numbers that count, {span}, each once"
    if isinstance(column.name, str) and _IDENTIFIER.search(_bare(column.name)):
        return f"an identifier by its name: whole numbers, each once, {span}"
    return ""


def _stand_in(column: Column) -> str:
    """That the smallest number, which comes often, may stand for something missing; empty where it does not look so."""
    for text in STAND_INS:
        if column.texts[text] > 1 and column.minimum == float(text):
            return f"; {text} ({column.texts[text]:,} times) looks like missing: if it is, add it to `nulls`"
    return ""


def _too_fine(column: Column) -> str:
    """Why a column of numbers is constant to a model; empty when it is not."""
    largest = max(abs(column.minimum), abs(column.maximum))
    if column.maximum - column.minimum > 1e-6 * largest or not largest:
        return ""
    return f"numbers round {plain(column.minimum)} that differ only beyond the seven digits which float32 holds"


def _bare(name: str) -> str:
    """A column's name in lower case, but for the camel case that ends in Id."""
    return name if re.search(r"[a-z]I[dD]$", name) else name.strip().lower()


def _judge_text(column: Column, empty: float) -> Judgement:
    values = column.values
    if len(values) >= FEW and column.distinct_share >= NEARLY_ALL:
        many = f"{len(values):,}" if len(values) < TEXTS else f"more than {TEXTS:,}"
        example = shown(next(iter(values)))
        if _words(values) >= 3:
            return Judgement(None, f"free text: {many} different ones, e.g. {example}")
        return Judgement(None, f"an identifier: {many} different texts, nearly one a row, e.g. {example}")
    seen = f"{count(len(values), 'value')}: {examples(values)}"
    alike = variants(values)
    if alike:
        seen += f"; {' and '.join(shown(text) for text in alike[0])} are different ones"
    return Judgement("category", f"{seen}{_missing(empty)}")


def variants(texts: Iterable[str]) -> list[list[str]]:
    """Groups of texts that differ only in case and blanks, longer than a letter (`a` and `A` may well be two)."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(" ".join(text.split()).casefold(), []).append(text)
    return [group for folded, group in groups.items() if len(group) > 1 and len(folded) > 1]


def _spoiled(column: Column, decimal: str) -> str:
    """Why a column of numbers cannot be read as one."""
    bad = [text for text in column.texts if not is_number(text, decimal)]
    example = ", ".join(shown(text) for text in bad[:3])
    if any(shape_of(text) is Shape.UNIT for text in bad):
        return f"numbers with a unit beside them, e.g. {example}: write the bare numbers"
    if all(shape_of(text) in NUMBERS | MARKED for text in bad):
        return (
            f"numbers with other marks than the decimal {'comma' if decimal == ',' else 'point'} of this file, "
            f"e.g. {example}: write them alike, without thousands separators"
        )
    return f"numbers but for {example}: mend these cells, or add them to `nulls` if they mean missing"


def _only(column: Column) -> str:
    return shown(next(iter(column.texts or column.nulls)))


def _span(column: Column) -> str:
    dates = [text.strip() for text in column.texts if shape_of(text) is Shape.DATE]
    # As text only dates that begin with the year are in order.
    return f"{shown(min(dates))} to {shown(max(dates))}" if dates[0][:4].isdigit() else f"e.g. {shown(dates[0])}"


def _words(texts: Counter[str]) -> float:
    """Words a text."""
    return sum(len(text.split()) * times for text, times in texts.items()) / texts.total()


def _missing(empty: float) -> str:
    return f"; {percent(empty)} missing" if empty > 0 else ""
