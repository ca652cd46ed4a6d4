"""CSV as a stream of batches that know their lines and columns.

Strict RFC 4180 with any separator: a quote that never ends, or text after a closing quote, is an error and not a guess.
Blank lines are skipped. Cells keep their text as it is, blanks included.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from ferryman.data.options import CsvFormat
from ferryman.data.table import BATCH, Batch, Header
from ferryman.data.text import text_lines
from ferryman.errors import DataError


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
        names = tuple(cells) if options.header else None
        self.header = Header(source, names, len(cells), decimal=options.decimal)
        self.first_line = line

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The rows, in batches of `size`, none of them empty.

        Raises:
            DataError: a row with another number of cells, broken quotes, text that is none, no rows at all.
        """
        batch, found, broken = Batch(self.header), False, None
        rows = self._rows()
        while True:
            try:
                line, cells = next(rows)
            except StopIteration:
                break
            except DataError as error:
                # What is wrong in the rows before comes first.
                broken = error
                break
            found = True
            batch.lines.append(line)
            batch.rows.append(cells)
            if len(batch.rows) == size:
                yield batch
                batch = Batch(self.header)
        if batch.rows:
            yield batch
        if broken:
            raise broken
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
