"""All rows of a source: read once as a stream, kept as typed columns and hashes, never as cells."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ferryman.data.formats import open_table
from ferryman.data.labels import class_order, read_labels
from ferryman.data.options import ClassLabel, CsvFormat, ExactSplit, HashSplit, NumberLabel, ParquetFormat
from ferryman.data.split import hash_side, row_digest, split_rule
from ferryman.data.table import Batch, Header
from ferryman.errors import DataError
from ferryman.features.base import FeatureOptions
from ferryman.features.columns import FeatureColumns

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Reading:
    """What the spec's `data` block says of the rows."""

    format: CsvFormat | ParquetFormat
    features: Mapping[str, FeatureOptions]
    label: ClassLabel | NumberLabel
    split: ExactSplit | HashSplit

    def rule(self, key: Sequence[str | int]) -> str:
        """SHA-256 of all that decides a row's side, beside the source's bytes; `key` as in `Rows`."""
        return split_rule(self.split, self.label, self.format, key)


@dataclass
class Rows:
    """The rows that have a label, in the order of the file."""

    chunks: list[dict[str, pa.Array]] = field(default_factory=list)
    """The features' columns, batch by batch."""

    digests: bytearray = field(default_factory=bytearray)
    """Hash of each row's text, 16 bytes a row."""

    keyed_sides: bytearray = field(default_factory=bytearray)
    """The side of each row where its key alone decides (`split: {kind: hash}`), else empty."""

    numbers: array[float] = field(default_factory=lambda: array("d"))
    """The labels of a number task, else empty."""

    codes: array[int] = field(default_factory=lambda: array("i"))
    """The labels of a class task as offsets into `names`, else empty."""

    header: Header | None = None
    key: tuple[str | int, ...] = ()
    """Names of the columns whose cells decide the side (`split: {kind: hash}`); their indexes where none has a name."""

    names: dict[str, int] = field(default_factory=dict)
    """Class name -> its code, in the order of appearance."""

    read: int = 0
    dropped: int = 0
    """Rows left out because their label is missing."""

    def __len__(self) -> int:
        return self.read - self.dropped

    def add(
        self,
        batch: Batch,
        parsed: dict[str, pa.Array],
        labels: Iterable[str | float | None],
        split: ExactSplit | HashSplit,
        key: list[int] | None,
    ) -> None:
        """Keep a batch of rows that all have a label, with their parsed features; `key` as `split_key` gives it."""
        self.chunks.append(parsed)
        for cells in batch.rows:
            self.digests += row_digest(cells)
        if split.kind == "hash":
            self.keyed_sides += bytes(
                hash_side(cells if key is None else [cells[position] for position in key], split)
                for cells in batch.rows
            )
        for label in labels:
            if isinstance(label, str):
                self.codes.append(self.names.setdefault(label, len(self.names)))
            elif label is not None:
                self.numbers.append(label)

    def strata(self, classes: list[str] | None) -> np.ndarray:
        """int64 [n]: the row's class as an offset into `classes`; 0 throughout where there are none."""
        if classes is None:
            return np.zeros(len(self), dtype=np.int64)
        place = {name: number for number, name in enumerate(classes)}
        codes = np.array([place[name] for name in self.names], dtype=np.int64)
        return codes[np.frombuffer(self.codes, dtype=np.intc)]

    def classes(self, label: ClassLabel | NumberLabel) -> list[str] | None:
        """The class names in order; None for a number."""
        if label.kind == "number":
            return None
        return class_order(set(label.classes) if label.classes is not None else set(self.names))


def read_rows(stream: BinaryIO, source: str, reading: Reading, told: Callable[[int], None] = lambda rows: None) -> Rows:
    """All rows of a source's bytes; `source` is its name for messages, `told` hears of the rows read so far.

    Raises:
        DataError: the first thing in the data that is not what the options say.
    """
    label, split, nulls = reading.label, reading.split, reading.format.missing
    table = open_table(stream, reading.format, source)
    columns = FeatureColumns(table.header, reading.features, nulls)
    position = table.header.position(label.column, "label")
    columns.refuse(position)
    key = split_key(table.header, split)
    rows = Rows(header=table.header, key=key_names(table.header, key))
    for batch in table.batches():
        labels = read_labels(batch, position, label, nulls)
        kept = [row for row, value in enumerate(labels) if value is not None]
        rows.read += len(labels)
        rows.dropped += len(labels) - len(kept)
        labelled = batch if len(kept) == len(labels) else batch.take(kept)
        rows.add(labelled, columns.parse(labelled), labels, split, key)
        told(rows.read)
    if not len(rows):
        raise DataError(f"none of the {rows.read} rows has a label", source=source, column=label.column)
    return rows


def split_key(header: Header, split: ExactSplit | HashSplit) -> list[int] | None:
    """Positions of the key's columns; None for all of them.

    Raises:
        DataError: a column of the key does not exist.
    """
    if split.kind == "exact" or split.key is None:
        return None
    return [header.position(column, "split.key") for column in split.key]


def key_names(header: Header, key: list[int] | None) -> tuple[str | int, ...]:
    """What `Rows.key` says of the positions that `split_key` gave."""
    return tuple(header.name(position) for position in (range(header.width) if key is None else key))
