"""All rows of a source: read once as a stream, kept as typed columns and hashes, never as cells."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
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


def read_rows(stream: BinaryIO, source: str, reading: Reading) -> Rows:
    """All rows of a source's bytes; `source` is its name for messages.

    Raises:
        DataError: the first thing in the data that is not what the options say.
    """
    label, split, nulls = reading.label, reading.split, reading.format.missing
    table = open_table(stream, reading.format, source)
    columns = FeatureColumns(table.header, reading.features, nulls)
    position = table.header.position(label.column, "label")
    columns.refuse(position)
    key = _key(table.header, split)
    decide = range(table.header.width) if key is None else key
    rows = Rows(header=table.header, key=tuple(table.header.name(at) for at in decide))
    for batch in table.batches():
        labels = read_labels(batch, position, label, nulls)
        kept = [row for row, value in enumerate(labels) if value is not None]
        rows.read += len(labels)
        rows.dropped += len(labels) - len(kept)
        _keep(rows, batch if len(kept) == len(labels) else batch.take(kept), columns, split, key)
        for row in kept:
            _keep_label(rows, labels[row])
    if not len(rows):
        raise DataError(f"none of the {rows.read} rows has a label", source=source, column=label.column)
    return rows


def _keep(
    rows: Rows, batch: Batch, columns: FeatureColumns, split: ExactSplit | HashSplit, key: list[int] | None
) -> None:
    rows.chunks.append(columns.parse(batch))
    for cells in batch.rows:
        rows.digests += row_digest(cells)
    if split.kind == "hash":
        rows.keyed_sides += bytes(
            hash_side(cells if key is None else [cells[position] for position in key], split) for cells in batch.rows
        )


def _keep_label(rows: Rows, value: str | float | None) -> None:
    if isinstance(value, str):
        rows.codes.append(rows.names.setdefault(value, len(rows.names)))
    elif value is not None:
        rows.numbers.append(value)


def _key(header: Header, split: ExactSplit | HashSplit) -> list[int] | None:
    """Positions of the key's columns; None for all of them."""
    if split.kind == "exact" or split.key is None:
        return None
    return [header.position(column, "split.key") for column in split.key]
