"""A source as a table of text cells, whatever its format: its columns, and its rows in batches."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from ferryman.data.options import Column
from ferryman.errors import DataError

BATCH: Final = 1024
"""Rows a batch: large enough that the work per batch vanishes, small enough that wide rows fit in memory."""


@dataclass(frozen=True)
class Header:
    """The columns of a source: their names, or only their number where the file has no header."""

    source: str
    names: tuple[str, ...] | None
    width: int

    decimal: Literal[".", ","] = "."
    """The decimal mark of the cells' numbers."""

    counts: Literal["line", "row"] = "line"
    """What places in the source are counted in: the lines of a text, the rows of a Parquet file; both from 1."""

    refused: Mapping[int, str] = field(default_factory=dict)
    """Columns, by position, that nobody can read as text -> what is wrong with them."""

    def position(self, column: Column, wanted_by: str = "") -> int:
        """Index from 0 of a column given by name or index; `wanted_by` says in messages who asks.

        Raises:
            DataError: there is no such column, several have this name, or its values are no text or numbers.
        """
        where = f"{wanted_by}: " if wanted_by else ""
        position = self._found(column, where)
        if position in self.refused:
            message = f"{where}{self.refused[position]}"
            raise DataError(message, source=self.source, column=self.name(position))
        return position

    def _found(self, column: Column, where: str) -> int:
        if isinstance(column, int):
            if column < self.width:
                return column
            message = f"{where}there is no column {column}, expected 0 to {self.width - 1} ({self.width} columns)"
            raise DataError(message, source=self.source)
        if self.names is None:
            raise DataError(
                f"{where}received the column name {column!r}, but the format says `header: false`: "
                f"expected an index from 0 to {self.width - 1}",
                source=self.source,
            )
        count, line = self.names.count(column), 1 if self.counts == "line" else None
        if count > 1:
            message = f"{where}{count} columns are called {column!r}: name one by its index"
            raise DataError(message, source=self.source, line=line)
        if not count:
            raise DataError(f"{where}{self._unknown(column)}", source=self.source, line=line)
        return self.names.index(column)

    def name(self, position: int) -> str | int:
        """What a person calls the column at `position`: its name, or its index where it has none."""
        return self.names[position] if self.names else position

    def _unknown(self, column: str) -> str:
        names = self.names or ()
        folded = {name.strip().casefold(): name for name in names}
        near = difflib.get_close_matches(column.strip().casefold(), folded, n=1, cutoff=0.6)
        guess = f" (do you mean {folded[near[0]]!r}?)" if near else ""
        if len(names) == 1 and self.counts == "line":
            guess = " (there is only one: is the separator right?)"
        shown = ", ".join(repr(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        return f"there is no column {column!r}{guess}; there are {shown}"


@dataclass
class Batch:
    """Rows in the order of the file: their cells, and the place of each (the line at which it begins, or the row)."""

    header: Header
    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def error(self, row: int, position: int, message: str) -> DataError:
        """An error about one cell, by its offsets in this batch."""
        source, column = self.header.source, self.header.name(position)
        line, number = (self.lines[row], None) if self.header.counts == "line" else (None, self.lines[row])
        return DataError(message, source=source, line=line, row=number, column=column)

    def take(self, rows: Sequence[int]) -> Batch:
        """The batch of some of the rows."""
        return Batch(self.header, [self.lines[row] for row in rows], [self.rows[row] for row in rows])


class Table(Protocol):
    """A stream of rows: its header is known at once, its rows are read once, in batches."""

    header: Header

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The rows, in batches of `size`, none of them empty; DataError where the data are broken or there are none."""
