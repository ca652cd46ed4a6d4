"""The split: whether each side has the rows that it needs, and whether equal rows stay together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferryman.checks.finding import DATA, Finding, error, from_error, note, warning
from ferryman.checks.ground import Ground, given
from ferryman.data.split import SIDES
from ferryman.errors import DataError
from ferryman.steps.prepare.rows import Rows
from ferryman.steps.prepare.sides import Divided, check_numbers, divide


def check_sides(ground: Ground) -> Iterator[Finding]:
    """The sides of all rows; of those that were seen, where the file is larger."""
    found, split = given(ground.scan), ground.reading.split
    if not found.labelled or not len(found.rows):
        return
    divided = divide(found.rows, ground.reading, str(given(ground.data).source))
    sizes = {side: len(divided.rows_of(side)) for side in SIDES}
    ground.headline = ", ".join(f"{size:,} {side}" for side, size in sizes.items())
    if not found.complete:
        ground.headline += " (of the rows that were looked at)"
    empty = [side for side, size in sizes.items() if not size]
    for side in empty:
        text = f"none of the {len(found.rows):,} rows falls on the side {side!r}"
        yield error("data.split", text, "more rows, a larger share or another seed", DATA)
    if not empty:
        ground.divided = divided
    yield from _classes(divided, found.complete)
    if divided.classes is None and found.complete and "train" not in empty:
        yield from _numbers(divided, found.rows)
    if split.kind == "exact":
        yield from _repeated(divided, found.complete)
    yield from _batch(ground, sizes["train"] * found.total // max(found.seen, 1))


def _numbers(divided: Divided, rows: Rows) -> Iterator[Finding]:
    try:
        check_numbers(divided.train_numbers(rows), "data.label")
    except DataError as failure:
        yield from_error(failure, advice="look at label.column")


def _classes(divided: Divided, complete: bool) -> Iterator[Finding]:
    if divided.classes is None:
        return
    if not complete:
        # A file may be sorted by class: what was not seen may lie further down.
        yield note("data.label", f"the rows that were looked at have the classes {_listed(divided.classes)}")
        return
    if len(divided.classes) < 2:
        text = f"all labels are {divided.classes[0]!r}, expected at least two classes"
        yield error("data.label", text, "look at label.column", DATA)
    counts = {side: divided.counts(side) for side in SIDES}
    rows = np.bincount(divided.strata, minlength=len(divided.classes))
    for place, name in enumerate(divided.classes):
        where = f"data.label, class {name!r}"
        missing = [side for side in SIDES if not counts[side][place]]
        if "train" in missing:
            text = f"no train row has it ({rows[place]} in all the data): a model cannot learn it"
            yield error(where, text, "give more rows of it, leave it out, or choose another split.seed", DATA)
        elif missing:
            text = f"{rows[place]} rows are too few: none of them falls on {' or '.join(missing)}"
            yield warning(where, f"{text}, so nobody sees how well it is told", "give more rows of it, or leave it out")


def _repeated(divided: Divided, complete: bool) -> Iterator[Finding]:
    if not divided.repeated:
        return
    apart = _on_two_sides(divided)
    if apart:
        text = f"{divided.repeated:,} rows stand in the file more than once; {apart:,} of them lie on another side than the first"
        advice = "remove the repeated rows, or say `split: {kind: hash}`, which keeps equal rows together"
        yield warning("data.split", f"{text}: the model is judged on rows that it has learned from", advice)
    elif complete:
        yield note("data", f"{divided.repeated:,} rows stand in the file more than once, on the same side")


def _on_two_sides(divided: Divided) -> int:
    """Rows that repeat an earlier one and lie on another side than it."""
    _, first, group = np.unique(divided.digests, axis=0, return_index=True, return_inverse=True)
    return int(np.count_nonzero(divided.sides != divided.sides[first][group.reshape(-1)]))


def _batch(ground: Ground, train: int) -> Iterator[Finding]:
    if ground.spec is None:
        return
    size = ground.spec.train.batch_size
    if size > train:
        text = f"received {size:,}, and train has {train:,} rows: each epoch is one step"
        yield warning("train.batch_size", text, f"give {_power_of_two(train / 20)} or so: twenty steps an epoch")


def _power_of_two(number: float) -> int:
    return int(2 ** max(0, min(10, round(np.log2(max(number, 1))))))


def _listed(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
