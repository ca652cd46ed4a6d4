"""Which row of a source falls on which side, and whether every side has what the steps after it need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferryman.data.options import ExactSplit, HashSplit
from ferryman.data.split import ID_BYTES, SIDES, exact_sides, hash_order, row_ids
from ferryman.errors import DataError
from ferryman.steps.prepare.rows import Reading, Rows


@dataclass(frozen=True)
class Divided:
    """The rows of a source, in the order of the file, on their sides."""

    digests: np.ndarray
    """uint8 [n, 16]: hash of each row's text."""

    ids: np.ndarray
    """uint8 [n, 16]: the digest itself for the first of equal rows, another hash for the others."""

    order: np.ndarray
    """int64 [n]: the rows in the order of a seeded hash."""

    sides: np.ndarray
    """uint8 [n]: offsets into SIDES."""

    strata: np.ndarray
    """int64 [n]: offsets into `classes`; 0 throughout for numbers."""

    classes: list[str] | None

    @property
    def repeated(self) -> int:
        """Rows whose text stood in the file before."""
        return int((self.ids != self.digests).any(axis=1).sum())

    def rows_of(self, side: str) -> np.ndarray:
        """The rows (int64) of a side in hash order."""
        rows: np.ndarray = self.order[self.sides[self.order] == SIDES.index(side)]
        return rows

    def train_numbers(self, rows: Rows) -> np.ndarray:
        """float64 [n]: the labels of the train side of a number task."""
        numbers: np.ndarray = np.frombuffer(rows.numbers, dtype=np.float64)[self.sides == SIDES.index("train")]
        return numbers

    def counts(self, side: str) -> np.ndarray:
        """int64 [k]: rows of each class on a side."""
        return np.bincount(self.strata[self.sides == SIDES.index(side)], minlength=len(self.classes or ()))


def divide(rows: Rows, reading: Reading, source: str) -> Divided:
    """Every row on its side, by the rule of the spec; `source` is for messages.

    Raises:
        DataError: too few rows for three sides (`exact`).
    """
    split, classes = reading.split, rows.classes(reading.label)
    digests = np.frombuffer(bytes(rows.digests), dtype=np.uint8).reshape(-1, ID_BYTES)
    ids = row_ids(digests.tobytes())
    order, strata = hash_order(ids, split.seed), rows.strata(classes)
    if split.kind == "exact":
        sides = exact_sides(order, strata, split, source)
    else:
        sides = np.frombuffer(bytes(rows.keyed_sides), dtype=np.uint8)
    return Divided(digests, ids, order, sides, strata, classes)


def check_sides(divided: Divided, split: ExactSplit | HashSplit, source: str) -> None:
    """Refuse an empty side, and a class that train never sees.

    Raises:
        DataError: says which, and what to try.
    """
    sides, classes = divided.sides, divided.classes
    for side, name in enumerate(SIDES):
        if not (sides == side).any():
            raise DataError(
                f"none of the {len(sides)} rows falls on the side {name!r} (split: {split.kind}), expected at least "
                "one: more rows, a larger share or another seed help",
                source=source,
            )
    if classes is None:
        return
    if len(classes) < 2:
        raise DataError(f"all labels are {classes[0]!r}, expected at least two classes", source=source)
    everywhere, in_train = np.bincount(divided.strata, minlength=len(classes)), divided.counts("train")
    for name, rows, train in zip(classes, everywhere.tolist(), in_train.tolist(), strict=True):
        if not train:
            raise DataError(
                f"no train row has the class {name!r} ({rows} in all the data): a model cannot learn it; give more "
                "rows of it, leave it out, or choose another seed",
                source=source,
            )


def check_numbers(train: np.ndarray, source: str) -> None:
    """Refuse labels of which there is nothing to learn, also where the model's float32 is what makes them equal.

    Raises:
        DataError: they are all one number.
    """
    if not np.float32(train.std()) or len(np.unique(train.astype(np.float32))) < 2:
        raise DataError(
            f"all {len(train)} train labels are {train[0]:g} (as float32), expected at least two values", source=source
        )
