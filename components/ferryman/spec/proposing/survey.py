"""What the first rows of a table hold, column by column: tallies that a judgement can rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ferryman.data.table import Header, Table
from ferryman.spec.proposing.cells import EMPTY, NUMBERS, Shape, measured, shape_of

ROWS: Final = 10_000
"""Rows that are looked at in any case, however wide they are."""

CELLS: Final = 2_000_000
"""Cells that are looked at beyond that: some seconds, and most tables end before."""

COUNTED: Final = 40_000_000
"""Cells up to which rows are still counted and labels tallied: a file may be sorted by its label."""

TEXTS: Final = 20_000
"""Different texts that are kept of a column; one with more is no category."""


@dataclass
class Column:
    """The tallies of one column."""

    position: int
    name: str | int
    rows: int = 0
    shapes: Counter[Shape] = field(default_factory=Counter)
    """Cells by notation."""

    texts: Counter[str] = field(default_factory=Counter)
    """Cells by text, without the missing ones; complete up to `TEXTS` different ones."""

    nulls: Counter[str] = field(default_factory=Counter)
    """The missing cells by text, words among them."""

    minimum: float = float("inf")
    maximum: float = float("-inf")
    total: float = 0.0
    """Of the cells that are numbers."""

    counted: int = 0
    """Cells that were there when the texts were still complete."""

    def update(self, cells: list[str]) -> None:
        """Tally the cells of some more rows."""
        self.rows += len(cells)
        complete = len(self.texts) < TEXTS
        for text, times in Counter(cells).items():
            shape, value = measured(text)
            self.shapes[shape] += times
            if shape in EMPTY:
                self.nulls[text] += times
                continue
            if complete:
                self.texts[text] += times
            if shape in NUMBERS:
                self.minimum, self.maximum = min(self.minimum, value), max(self.maximum, value)
                self.total += value * times
        if complete:
            self.counted = sum(self.texts.values())

    def count(self, *shapes: Shape) -> int:
        """How many cells have one of these notations."""
        return sum(self.shapes[shape] for shape in shapes)

    @property
    def known(self) -> int:
        """Cells that are neither missing nor a word that may mean it."""
        return self.rows - self.count(*EMPTY)

    @property
    def values(self) -> Counter[str]:
        """The texts, and the words that mean nothing missing in a column of text."""
        return self.texts + Counter({text: n for text, n in self.nulls.items() if shape_of(text) is Shape.WORD})

    @property
    def distinct(self) -> int:
        """Different texts; `TEXTS` or a little more stands for many."""
        return len(self.texts)

    @property
    def distinct_share(self) -> float:
        """Different texts as a share of the cells among which they were counted."""
        return self.distinct / self.counted if self.counted else 0.0


@dataclass(frozen=True)
class Survey:
    """What is known of a table."""

    header: Header
    columns: list[Column]
    rows: int
    """Rows that were looked at in every column."""

    total: int
    """Rows of the whole file."""

    whole: bool
    """Whether `rows` are all of them."""

    exact: bool
    """Whether `total` was counted, and not estimated."""


def survey(table: Table, label: int, consumed: Callable[[], float], known: int | None = None) -> Survey:
    """The tallies of a table's rows; `consumed` says which share of the source has been read, `known` how many rows it has.

    Raises:
        DataError: the table is broken, or has no rows.
    """
    header = table.header
    columns = [Column(position, header.name(position)) for position in range(header.width)]
    rows = looked_at = 0
    ended = True
    for batch in table.batches():
        rows += len(batch.rows)
        if looked_at < ROWS or looked_at * header.width < CELLS:
            looked_at = rows
            for column, cells in zip(columns, zip(*batch.rows, strict=True), strict=True):
                column.update(list(cells))
        elif rows * header.width < COUNTED:
            columns[label].update([cells[label] for cells in batch.rows])
        else:
            ended = False
            break
    total = known or (rows if ended else max(rows, round(rows / max(consumed(), 1e-9))))
    return Survey(header, columns, looked_at, total, ended and looked_at == rows, ended or known is not None)
