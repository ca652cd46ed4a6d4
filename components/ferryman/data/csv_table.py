"""CSV as a stream of batches that know their lines and columns.

Strict RFC 4180 with any separator: a quote that never ends, or text after a closing quote, is an error and not a guess.
Blank lines are skipped. Cells keep their text as it is, blanks included.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from ferryman.data.options import Column, CsvFormat
from ferryman.data.text import text_lines
from ferryman.errors import DataError

BATCH: Final = 1024
"""Rows a batch: large enough that the work per batch vanishes, small enough that wide rows fit in memory."""


@dataclass(frozen=True)
class Header:
    """The columns of a source: their names, or only their number where the file has no header."""

    source: str
    names: tuple[str, ...] | None
    width: int

    def position(self, column: Column, wanted_by: str = "") -> int:
        """Index from 0 of a column given by name or index; `wanted_by` says in messages who asks.

        Raises:
            DataError: there is no such column, or several have this name.
        """
        where = f"{wanted_by}: " if wanted_by else ""
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
        count = self.names.count(column)
        if count > 1:
            message = f"{where}{count} columns are called {column!r}: name one by its index"
            raise DataError(message, source=self.source, line=1)
        if not count:
            raise DataError(f"{where}{self._unknown(column)}", source=self.source, line=1)
        return self.names.index(column)

    def name(self, position: int) -> str | int:
        """What a person calls the column at `position`: its name, or its index where it has none."""
        return self.names[position] if self.names else position

    def _unknown(self, column: str) -> str:
        names = self.names or ()
        folded = {name.strip().casefold(): name for name in names}
        near = difflib.get_close_matches(column.strip().casefold(), folded, n=1, cutoff=0.6)
        guess = f" (do you mean {folded[near[0]]!r}?)" if near else ""
        if len(names) == 1:
            guess = " (there is only one: is the separator right?)"
        shown = ", ".join(repr(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        return f"there is no column {column!r}{guess}; there are {shown}"


@dataclass
class Batch:
    """Rows in the order of the file: their cells, and the line from 1 at which each begins."""

    header: Header
    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def error(self, row: int, position: int, message: str) -> DataError:
        """An error about one cell, by its offsets in this batch."""
        source, column = self.header.source, self.header.name(position)
        return DataError(message, source=source, line=self.lines[row], column=column)

    def take(self, rows: Sequence[int]) -> Batch:
        """The batch of some of the rows."""
        return Batch(self.header, [self.lines[row] for row in rows], [self.rows[row] for row in rows])


class CsvTable:
    """A CSV stream: its header is read at once, its rows once, in batches."""

    def __init__(self, stream: BinaryIO, options: CsvFormat, source: str) -> None:
        self._source, self._read = source, 0
        self._records = csv.reader(self._lines(stream), delimiter=options.separator, strict=True)
        first = self._next()
        if first is None:
            raise DataError("the file has only blank lines, expected rows", source=source)
        line, cells = first
        self._first = None if options.header else first
        self.header = Header(source, tuple(cells) if options.header else None, len(cells))
        self.first_line = line

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The rows, in batches of `size`, none of them empty.

        Raises:
            DataError: a row with another number of cells, broken quotes, text that is none, no rows at all.
        """
        batch, found = Batch(self.header), False
        for line, cells in self._rows():
            found = True
            batch.lines.append(line)
            batch.rows.append(cells)
            if len(batch.rows) == size:
                yield batch
                batch = Batch(self.header)
        if batch.rows:
            yield batch
        if not found:
            raise DataError("the file has a header but no rows", source=self._source)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        record, self._first = self._first or self._next(), None
        width = self.header.width
        while record is not None:
            line, cells = record
            if len(cells) != width:
                raise DataError(self._wrong_width(len(cells)), source=self._source, line=line)
            yield record
            record = self._next()

    def _next(self) -> tuple[int, list[str]] | None:
        """The next record that is not blank and the line at which it begins; None at the end."""
        while True:
            # The reader asks for just the lines that a record needs, so this is where it begins, quoted ends or not.
            line = self._read + 1
            try:
                cells = next(self._records, None)
            except csv.Error as error:
                raise DataError(self._reason(error, line), source=self._source, line=line) from None
            if cells is None:
                return None
            if cells:
                return line, cells

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        for line in text_lines(stream, self._source):
            self._read += 1
            yield line

    def _wrong_width(self, received: int) -> str:
        origin = "the header" if self.header.names else f"line {self.first_line}"
        return f"received {received} cells, expected {self.header.width} as in {origin} (a separator or quote astray?)"

    def _reason(self, error: csv.Error, line: int) -> str:
        text = str(error)
        if "field larger" in text and self._read == line:
            return f"a cell of more than {csv.field_size_limit():,} characters"
        if "unexpected end of data" in text or "field larger" in text:
            return f"a quote opens in this row and does not close (by line {self._read})"
        if "new-line character" in text:
            return "a line end of the form CR alone, expected LF or CR LF"
        if "expected after" in text:
            return "text after a closing quote, expected the separator (a quote inside a quoted cell is written twice)"
        return f"cannot be read as CSV: {text}"
