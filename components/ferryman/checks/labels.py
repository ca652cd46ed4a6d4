"""The label: what it holds, and whether a feature gives it away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from ferryman.checks.features import spellings
from ferryman.checks.finding import DATA, Finding, error, warning
from ferryman.checks.ground import Ground, given
from ferryman.checks.scan import Scanned, class_shares

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST: Final = 30
"""Rows below which a perfect prediction can be chance."""

ROWS_A_VALUE: Final = 3
"""Rows that a value of a category must have on average, before it can be said to predict anything."""

PERFECT: Final = 1 - 1e-6
"""Squared correlation from which on a number is the label in another unit."""


def check_label(ground: Ground) -> Iterator[Finding]:
    """The label itself, then each feature beside it."""
    found = given(ground.scan)
    if not found.labelled or not len(found.rows):
        return
    if ground.reading.label.kind == "class":
        yield from _classes(ground, found)
    else:
        values = np.frombuffer(found.rows.numbers)
        ground.headline = f"{values.min():g} to {values.max():g}, mean {values.mean():g}"
    if len(found.rows) >= FEWEST:
        yield from _leaks(ground, found)


def _classes(ground: Ground, found: Scanned) -> Iterator[Finding]:
    shares = class_shares(found)
    largest = max(shares, key=lambda name: shares[name])
    ground.headline = (
        f"{len(shares)} classes, the most frequent is {largest!r} ({shares[largest] / len(found.rows):.0%})"
    )
    yield from spellings("data.label", list(shares))
    if len(shares) > 20 and len(found.rows) < 5 * len(shares):
        text = f"{len(shares):,} classes in {len(found.rows):,} rows: it looks like a number or an identifier"
        yield warning("data.label", text, "say `kind: number`, or look at label.column")


def _leaks(ground: Ground, found: Scanned) -> Iterator[Finding]:
    for name, column in found.features().items():
        if column.type in _kinds("number"):
            text = _number_tells(found, column)
        elif column.type in _kinds("text"):
            text = _category_tells(found, column)
        else:
            continue
        where = f"data.features.{name}"
        if text == SAME:
            yield error(where, f"its value is the label itself in all {len(column):,} rows", "leave it out", DATA)
        elif text:
            advice = "leave it out, unless it is known before the label is, wherever the model is asked"
            yield warning(where, f"{text}: it may hold what the model is asked for", advice)


SAME: Final = "same"


def _number_tells(found: Scanned, column: pa.ChunkedArray) -> str:
    values = column.to_numpy()
    if np.isnan(values).any() or values.min() == values.max():
        return ""
    if found.rows.numbers:
        label = np.frombuffer(found.rows.numbers)
        if np.array_equal(values, label):
            return SAME
        if label.min() == label.max():
            return ""
        return "it is the label in another unit" if np.corrcoef(values, label)[0, 1] ** 2 > PERFECT else ""
    names = list(found.rows.names)
    codes = np.frombuffer(found.rows.codes, dtype=np.intc)
    if len(names) < 2:
        return ""
    if _numbers_of(names) is not None and np.array_equal(np.array(_numbers_of(names))[codes], values):
        return SAME
    return "it alone tells every class apart" if _separates(values, codes, len(names)) else ""


def _separates(values: np.ndarray, codes: np.ndarray, classes: int) -> bool:
    """Whether each class has the values of an interval of its own."""
    order = np.lexsort((codes, values))
    changes = np.flatnonzero(np.diff(codes[order]))
    # Equal values on both sides of a change belong to two classes.
    apart = values[order][changes] < values[order][changes + 1]
    return len(changes) == classes - 1 and bool(apart.all())


def _category_tells(found: Scanned, column: pa.ChunkedArray) -> str:
    texts = column.to_pylist()
    if len(set(texts)) < 2 or len(texts) < ROWS_A_VALUE * len(set(texts)):
        return ""
    if found.rows.numbers:
        label: list[object] = list(found.rows.numbers)
    else:
        names = list(found.rows.names)
        label = [names[code] for code in found.rows.codes]
    if texts == label:
        return SAME
    pairs = set(zip(texts, label, strict=True))
    return "each of its values has only one label" if len(pairs) == len(set(texts)) and len(set(label)) > 1 else ""


def _numbers_of(names: list[str]) -> list[float] | None:
    try:
        return [float(name) for name in names]
    except ValueError:
        return None


def _kinds(kind: str) -> tuple[object, ...]:
    import pyarrow as pa

    return (pa.float64(),) if kind == "number" else (pa.string(),)
