"""Labels: the column that a model learns to predict, as text (classes) or float64 (numbers)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from ferryman.data.numerals import advice, pointed
from ferryman.data.options import ClassLabel, NumberLabel
from ferryman.data.table import Batch

LARGEST: Final = 3.4028234663852886e38
"""The largest float32: what a model can answer. Source: IEEE 754-2019, binary32."""


def read_labels(
    batch: Batch, position: int, label: ClassLabel | NumberLabel, nulls: Collection[str]
) -> list[str | float | None]:
    """The label of each row; None where it is missing and the options say `missing: drop`.

    A class is the cell's text without the blanks round it (`Adelie ` would be a class that nobody meant); apart from
    that text stays text: `1` and `1.0` are two classes.

    Raises:
        DataError: a label is missing where that is refused, is not one of `classes`, or is not a finite number.
    """
    texts = _texts(batch, position, nulls)
    if label.missing == "refuse" and None in texts:
        message = "the label is missing (say `missing: drop` in the label to leave such rows out)"
        raise batch.error(texts.index(None), position, message)
    if label.kind == "number":
        return _numbers(batch, position, texts)
    if label.classes is not None:
        known = {None, *label.classes}
        for row, text in enumerate(texts):
            if text not in known:
                expected = ", ".join(map(repr, label.classes))
                raise batch.error(row, position, f"received the label {text!r}, expected one of {expected}")
    return list(texts)


def class_order(names: Collection[str]) -> list[str]:
    """Class names in their one order: by value where all are numbers, else as text by code point."""
    values = {name: _number(name) for name in names}
    if all(value is not None for value in values.values()):
        # `1` and `1.0` have one value: the text decides.
        return sorted(names, key=lambda name: (values[name], name))
    return sorted(names)


def _texts(batch: Batch, position: int, nulls: Collection[str]) -> list[str | None]:
    cells = [row[position] for row in batch.rows]
    return [None if cell in nulls or (text := cell.strip()) in nulls else text or None for cell in cells]


def _numbers(batch: Batch, position: int, texts: Sequence[str | None]) -> list[str | float | None]:
    numbers: list[str | float | None] = []
    decimal = batch.header.decimal
    for row, text in enumerate(texts):
        number = None if text is None else _number(pointed(text, decimal))
        if text is not None and number is None:
            expected = f"expected a finite number (of float32's range){advice(text, decimal)}"
            raise batch.error(row, position, f"received the label {text!r}, {expected}")
        numbers.append(number)
    return numbers


def _number(text: str) -> float | None:
    try:
        # float() takes "1_000" as 1000, which no CSV means.
        value = float(text.replace("_", "?"))
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST else None
