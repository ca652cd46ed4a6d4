"""What the label's column means: classes or a number, or something that no model can learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from ferryman.errors import DataError
from ferryman.spec.proposing.cells import MARKED, NUMBERS, WHOLE, Shape, measured
from ferryman.spec.proposing.judging import NEARLY_ALL, is_number, numbers, variants
from ferryman.spec.proposing.survey import TEXTS, Column
from ferryman.spec.proposing.words import count, examples, percent, plain, shown

MOST_CODES: Final = 20
"""Whole numbers up to so many different ones are taken for classes: digits, grades, yes and no as 1 and 0."""

FEWEST_A_CODE: Final = 5
"""Rows a code has on average; whole numbers that repeat less are amounts."""

MOST_CLASSES: Final = 1_000
"""More classes than this are a question for a person."""


@dataclass(frozen=True)
class LabelPlan:
    """What the model predicts, and what was seen of it."""

    kind: Literal["class", "number"]
    seen: str
    missing: bool
    known: int
    """Rows with a label among those that were looked at."""

    majority: float
    """The share of the most frequent class; 0 for a number."""

    classes: int
    """How many there are; 0 for a number."""

    rarest: int
    """Rows of the rarest class; 0 for a number."""


def plan_label(column: Column, decimal: str, nulls: Collection[str], source: str, whole: bool) -> LabelPlan:
    """What the label is; `whole` says whether all rows were looked at.

    Raises:
        DataError: it is missing throughout, all the same, an identifier, a date, or one class has two spellings.
    """
    classes, missing = _classes(column, nulls)
    known = column.rows - missing
    if not known:
        raise _refusal(column, source, "every label is missing: there is nothing to learn")
    if len(classes) == 1:
        only = shown(next(iter(classes)))
        seen = "every label" if whole else f"every label in the first {column.rows:,} rows"
        hint = "" if whole else "; if the file is sorted by its label, shuffle it"
        raise _refusal(column, source, f"{seen} is {only}: a model needs at least two different ones to learn{hint}")
    empty = missing / column.rows
    gone = f"; {percent(empty)} missing, such rows are left out" if missing else ""
    if _is_number(column, decimal, len(classes)):
        span = f"{plain(column.minimum)} to {plain(column.maximum)}, mean {plain(column.total / known)}"
        return LabelPlan("number", f"{span}{gone}", missing > 0, known, 0.0, 0, 0)
    _refuse_what_is_no_class(column, classes, decimal, source)
    ((_, most),) = classes.most_common(1)
    seen = f"{count(len(classes), 'class')}: {_shares(classes)}"
    if column.count(*WHOLE) == column.known and len(classes) > 2:
        seen += "; if they are amounts, write `kind: number`"
    return LabelPlan("class", f"{seen}{gone}", missing > 0, known, most / known, len(classes), min(classes.values()))


def _classes(column: Column, nulls: Collection[str]) -> tuple[Counter[str], int]:
    """The classes with their rows, as the reader of labels names them, and how many labels are missing."""
    classes: Counter[str] = Counter()
    for text, times in column.values.items():
        if text not in nulls and text.strip() not in nulls:
            classes[text.strip()] += times
    # Of a column with very many different texts not all are kept.
    missing = sum(times for text, times in column.nulls.items() if text in nulls or not text.strip())
    return classes, missing


def _is_number(column: Column, decimal: str, different: int) -> bool:
    if numbers(column, decimal) < column.known or not column.known:
        return False
    if different > MOST_CODES or column.known < FEWEST_A_CODE * different:
        return True
    # 1.0 is a code as well: a column of whole numbers with gaps leaves pandas as one of floats.
    return not all(measured(text)[1].is_integer() for text in column.texts)


def _refuse_what_is_no_class(column: Column, classes: Counter[str], decimal: str, source: str) -> None:
    if column.count(Shape.DATE) > 0.5 * column.known:
        raise _refusal(column, source, "the labels are dates or times: write what is to be predicted as a number")
    if column.count(*NUMBERS, *MARKED) > NEARLY_ALL * column.known and len(classes) > MOST_CODES:
        odd = [text for text in column.texts if not is_number(text, decimal)]
        example = ", ".join(shown(text) for text in odd[:3])
        raise _refusal(column, source, f"the labels are numbers but for {example}: mend these cells in the file")
    if len(classes) >= TEXTS or (len(classes) > 20 and len(classes) > 0.5 * column.counted):
        message = (
            f"{len(classes):,} different labels in {column.counted:,} rows (e.g. {examples(column.texts, 2)}): "
            "that is an identifier or free text, expected a few classes or numbers; is it the right column?"
        )
        raise _refusal(column, source, message)
    if len(classes) > MOST_CLASSES:
        raise _refusal(
            column, source, f"{len(classes):,} classes, expected at most {MOST_CLASSES:,}: join the rare ones"
        )
    alike = variants(classes)
    if alike:
        told = "; ".join(
            " and ".join(f"{shown(text)} ({count(classes[text], 'row')})" for text in group) for group in alike[:3]
        )
        raise _refusal(
            column, source, f"classes that differ only in their spelling: {told}; write each one alike in the file"
        )


def _shares(classes: Counter[str], most: int = 5) -> str:
    first = [f"{shown(text)} ({times:,})" for text, times in classes.most_common(most)]
    return ", ".join([*first, "..."] if len(classes) > most else first)


def _refusal(column: Column, source: str, message: str) -> DataError:
    return DataError(f"the label: {message}", source=source, column=column.name)
