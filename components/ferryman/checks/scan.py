"""All rows of a source, or as many as a time budget allows: what is wrong in each column, and the rows that are right.

The step prepare stops at the first wrong cell; here every column is read on its own, and goes on behind a wrong cell.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, ParamSpec, TypeVar, cast

import numpy as np

from ferryman.checks.stream import Counted, spread_batches
from ferryman.data.formats import open_table
from ferryman.data.labels import read_labels
from ferryman.data.options import CsvFormat
from ferryman.data.parquet_table import ParquetTable
from ferryman.data.table import Batch, Header
from ferryman.errors import DataError
from ferryman.features.columns import FeatureColumns
from ferryman.steps.prepare.rows import Reading, Rows, key_names, split_key

if TYPE_CHECKING:
    import pyarrow as pa

P = ParamSpec("P")
T = TypeVar("T")

ENOUGH_BAD: Final = 1000
"""Wrong cells of one column that are counted; behind them the column is not read any more."""

LABEL: Final = "the label"


@dataclass
class BadCells:
    """The wrong cells of one feature or of the label."""

    first: DataError
    count: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """What stands in them."""


@dataclass
class Scanned:
    """What was seen of a source."""

    header: Header
    rows: Rows
    """The rows without a wrong cell and with a label, as the step prepare keeps them."""

    size: int | None
    """Bytes of the source (as stored), where that is known."""

    lines: array[int] = field(default_factory=lambda: array("q"))
    """The line at which each of the rows begins; 0 where rows from the middle of a file do not know."""

    bad: dict[str, BadCells] = field(default_factory=dict)
    """By feature, or under LABEL."""

    absent: list[DataError] = field(default_factory=list)
    """Columns that there are not, or that must not be read."""

    broken: DataError | None = None
    """What ended the reading before the end."""

    seen: int = 0
    """Rows looked at, right or wrong."""

    complete: bool = False
    """Whether that are all."""

    spread: int = 0
    """How many of them come from places all over the rest of the file."""

    counted: int | None = None
    """Rows that the file itself says it has."""

    bytes_read: int = 0
    seconds: float = 0.0
    labelled: bool = True
    """Whether the label could be read."""

    @property
    def total(self) -> int:
        """Rows of the source: counted where all were seen, else estimated from its size; at least what was seen."""
        if self.counted is not None:
            return self.counted
        first = self.seen - self.spread
        if self.complete or not self.size or not self.bytes_read:
            return self.seen
        return max(self.seen, round(first * self.size / self.bytes_read))

    def features(self) -> dict[str, pa.ChunkedArray]:
        """The typed columns of the features that could be read to the end."""
        import pyarrow as pa

        chunks = self.rows.chunks
        whole = set(chunks[0]).intersection(*chunks) if chunks else set()
        return {
            name: pa.chunked_array([chunk[name] for chunk in chunks]) for name in (chunks or [{}])[0] if name in whole
        }

    def line(self, row: int) -> str:
        """Where a row stands, in words."""
        return f"{self.header.counts} {self.lines[row]}" if self.lines[row] else "a line in the middle of the file"


class Scanner:
    """Reads batches into `found`, every column on its own."""

    def __init__(self, header: Header, reading: Reading, size: int | None) -> None:
        label, nulls = reading.label, reading.format.missing
        self._reading, self._absent = reading, list[DataError]()
        self._key = self._tried(split_key, header, reading.split)
        self._position = self._tried(header.position, label.column, "label")
        self._columns: dict[str, FeatureColumns] = {}
        for name, feature in reading.features.items():
            columns = self._tried(FeatureColumns, header, {name: feature}, nulls)
            if columns is not None:
                self._columns[name] = columns
                if self._position is not None:
                    self._tried(columns.refuse, self._position)
        rows = Rows(header=header, key=key_names(header, self._key))
        self.found = Scanned(header, rows, size, absent=self._absent, labelled=self._position is not None)

    def _tried(self, make: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T | None:
        """What `make` gives; None when a column is not as it says."""
        try:
            return make(*arguments, **options)
        except DataError as error:
            self._absent.append(error)
            return None

    def take(self, batch: Batch, *, lines: bool = True) -> None:
        """Look at a batch; what is right is kept."""
        self.found.seen += len(batch.rows)
        parsed, bad = self._parsed(batch)
        labels, unlabelled = self._labels(batch)
        bad |= unlabelled
        if bad or None in labels:
            kept = [row for row in range(len(batch.rows)) if row not in bad and labels[row] is not None]
            self.found.rows.dropped += sum(labels[row] is None for row in range(len(labels)) if row not in bad)
            batch, labels = batch.take(kept), [labels[row] for row in kept]
            parsed, _ = self._parsed(batch) if kept else ({}, set())
        if batch.rows:
            self.found.rows.add(batch, parsed, labels if self.found.labelled else (), self._reading.split, self._key)
            self.found.lines.extend(batch.lines if lines else [0] * len(batch.lines))
        self.found.rows.read = len(self.found.lines) + self.found.rows.dropped

    def _parsed(self, batch: Batch) -> tuple[dict[str, pa.Array], set[int]]:
        parsed: dict[str, pa.Array] = {}
        bad: set[int] = set()
        for name, columns in list(self._columns.items()):
            try:
                parsed |= columns.parse(batch)
            except DataError:
                bad |= self._bad_rows(name, batch, columns.parse)
        return parsed, bad

    def _labels(self, batch: Batch) -> tuple[list[str | float | None], set[int]]:
        if self._position is None:
            return [""] * len(batch.rows), set()
        position, label, nulls = self._position, self._reading.label, self._reading.format.missing
        try:
            return read_labels(batch, position, label, nulls), set()
        except DataError:
            bad = self._bad_rows(LABEL, batch, lambda rows: read_labels(rows, position, label, nulls))
        labels: list[str | float | None] = [""] * len(batch.rows)
        for row in set(range(len(labels))) - bad:
            (labels[row],) = read_labels(batch.take([row]), position, label, nulls)
        return labels, bad

    def _bad_rows(self, name: str, batch: Batch, parse: Callable[[Batch], object]) -> set[int]:
        bad = set()
        for row in range(len(batch.rows)):
            try:
                parse(batch.take([row]))
            except DataError as error:
                bad.add(row)
                cells = self.found.bad.setdefault(name, BadCells(error))
                cells.count += 1
                cells.texts[_cell(batch, row, error)] += 1
        if self.found.bad[name].count >= ENOUGH_BAD:
            # Its rows may be right everywhere else: from here on they are read without it.
            self._columns.pop(name, None)
            if name == LABEL:
                self._position, self.found.labelled = None, False
        return bad


def scan(stream: BinaryIO, size: int | None, source: str, reading: Reading, seconds: float) -> Scanned:
    """Read a table for at most about `seconds`; what is wrong in its rows is kept and not raised.

    Where the time ends before the file, and the file can be entered anywhere, a few rows from all over the rest are
    looked at as well: a file is often sorted.

    Raises:
        DataError: it cannot be read at all, or holds no rows.
    """
    began, counted, form = time.monotonic(), Counted(stream), reading.format
    # Parquet is entered from its end: a stream that can only be counted would be copied whole.
    table = open_table(cast(BinaryIO, counted) if form.kind == "csv" else stream, form, source)
    scanner = Scanner(table.header, reading, size)
    found = scanner.found
    found.complete = _read_batches(table.batches(), scanner, began + seconds)
    found.bytes_read = counted.count
    if isinstance(table, ParquetTable):
        found.counted = table.rows
    elif isinstance(form, CsvFormat) and not found.complete and found.broken is None and size and counted.plain:
        before = found.seen
        for batch in spread_batches(stream, counted.count, size, form, table.header):
            scanner.take(batch, lines=False)
        found.spread = found.seen - before
    found.seconds = time.monotonic() - began
    return found


def _read_batches(batches: Iterable[Batch], scanner: Scanner, deadline: float) -> bool:
    """Whether all of them were read; the error of one that cannot be is kept."""
    try:
        for batch in batches:
            over = scanner.found.seen > 0 and time.monotonic() > deadline
            scanner.take(batch)
            if over:
                return False
    except DataError as error:
        if not scanner.found.seen:
            raise
        scanner.found.broken = error
        return False
    return True


def _cell(batch: Batch, row: int, error: DataError) -> str:
    """The text of the cell that an error names."""
    try:
        return batch.rows[row][batch.header.position(error.column)] if error.column is not None else ""
    except (DataError, IndexError):
        return ""


def class_shares(found: Scanned) -> dict[str, int]:
    """Class name -> rows, of the rows that are right."""
    codes = np.bincount(np.frombuffer(found.rows.codes, dtype=np.intc), minlength=len(found.rows.names))
    return dict(zip(found.rows.names, codes.tolist(), strict=True))
