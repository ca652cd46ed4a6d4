"""Parquet as a stream of batches of text cells that know their rows and columns.

A value becomes the text that a CSV file would have, so that the same rows have the same ids and lie on the same sides
of a split in both formats wherever their text is the same:

    text, categories        as they are                numbers      shortest text that reads back the same: 1.0, 1e-05
    whole numbers           all digits, also beyond 2^53            true, false
    null, NaN               the empty text             time stamps  2024-01-31T12:00:05.25, with Z where they have a zone
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from ferryman.data.table import BATCH, Batch, Header
from ferryman.data.text import foreign_kind
from ferryman.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC: Final = b"PAR1"
"""First and last bytes of a file. Source: Apache Parquet format, "File Format"."""

IN_MEMORY: Final = 64 << 20
"""Bytes of a stream without random access (a pipe, a store) that are kept in memory; more go to a temporary file."""

BUFFER: Final = 1 << 20
"""Bytes that are read at a time of each column: whole row groups of wide tables would not fit in memory."""


class ParquetTable:
    """A Parquet stream: its header is read at once, its rows once, in batches."""

    def __init__(self, stream: BinaryIO, source: str) -> None:
        import pyarrow.parquet as pq

        self._source = source
        seekable = _seekable(stream)
        _check_magic(seekable, source)
        with self._reading():
            self._file = pq.ParquetFile(seekable, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True)
            schema = self._file.schema_arrow
        if not schema.names:
            raise DataError("the file has no columns", source=source)
        refused = {position: why for position, entry in enumerate(schema) if (why := _refusal(entry.type))}
        self.header = Header(source, tuple(schema.names), len(schema.names), counts="row", refused=refused)
        self.rows = int(self._file.metadata.num_rows)

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The rows, in batches of `size`, none of them empty.

        Raises:
            DataError: damaged pages, a text with a NUL character (it names row and column), no rows at all.
        """
        if not self.rows:
            raise DataError("the file has columns but no rows", source=self._source)
        first = 1
        with self._reading():
            for part in self._file.iter_batches(batch_size=size):
                if part.num_rows:
                    yield self._batch(part, first)
                first += part.num_rows

    def _batch(self, part: pa.RecordBatch, first: int) -> Batch:
        batch = Batch(self.header, list(range(first, first + part.num_rows)))
        columns = [texts(column) for column in part.columns]
        for position, column in enumerate(columns):
            for row, text in enumerate(column):
                if "\0" in text:
                    raise batch.error(row, position, "a NUL character, which no text of ours can hold")
        batch.rows += map(list, zip(*columns, strict=True))
        return batch

    @contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            message = f"a damaged Parquet file ({reason}): copy or write the file again"
            raise DataError(message, source=self._source) from error


def texts(column: pa.Array) -> list[str]:
    """The text of each value of a column; empty where it is null or NaN."""
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.ExtensionType):
        return texts(column.storage)
    if pa.types.is_dictionary(kind):
        return texts(column.dictionary_decode())
    if pa.types.is_floating(kind):
        return _numbers(column)
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_time(kind):
        return [_trimmed(text or "") for text in column.cast(pa.string()).to_pylist()]
    if _refusal(kind):
        return ["" if value is None else _document(value) for value in column.to_pylist()]
    return [text or "" for text in column.cast(pa.string()).to_pylist()]


def _numbers(column: pa.Array) -> list[str]:
    import pyarrow as pa

    if pa.types.is_float64(column.type):
        return ["" if value is None or math.isnan(value) else repr(value) for value in column.to_pylist()]
    # The shortest text of the narrow number, not that of the wide one next to it: 3.14 and not 3.140000104904175.
    narrow = np.float16 if pa.types.is_float16(column.type) else np.float32
    return ["" if value is None or math.isnan(value) else str(narrow(value)) for value in column.to_pylist()]


def _timestamps(column: pa.Array) -> list[str]:
    import pyarrow as pa

    zone = "Z" if column.type.tz else ""
    # Nanoseconds fit in no datetime of Python's; numpy writes every unit.
    values = column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False)
    written = np.datetime_as_string(values).tolist()
    return ["" if text == "NaT" else f"{_trimmed(text)}{zone}" for text in written]


def _trimmed(text: str) -> str:
    """Without the zeros that only say in which unit a time is stored."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refusal(kind: pa.DataType) -> str:
    """Why values of this type are no cells; empty when they are."""
    import pyarrow as pa

    if isinstance(kind, pa.ExtensionType):
        return _refusal(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _refusal(kind.value_type)
    if pa.types.is_nested(kind):
        return f"received a nested column ({kind}), expected one value a row: write its parts as columns of their own"
    if any(test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)):
        return f"received bytes ({kind}), expected text or numbers: write the column as text"
    if any(test(kind) for test in (pa.types.is_duration, pa.types.is_interval, pa.types.is_binary_view)):
        return f"received a column of {kind}, expected text or numbers: write it as a number"
    return ""


def _document(value: Any) -> str:
    """Text of a value that no feature reads: it only tells rows apart."""
    return value.hex() if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=repr)


def _seekable(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or its bytes at a place where every part can be reached: the columns' index lies at the end."""
    if stream.seekable():
        return stream
    # It lives as long as the table, and then closes itself.
    kept = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115
    shutil.copyfileobj(stream, kept)
    kept.seek(0)
    return kept


def _check_magic(stream: BinaryIO, source: str) -> None:
    head = stream.read(16)
    if not head:
        raise DataError("the file is empty", source=source)
    if not head.startswith(MAGIC):
        kind = "a file compressed by gzip" if head.startswith(b"\x1f\x8b") else foreign_kind(head)
        received = kind or "a file that does not begin as one (for text say `kind: csv` in the format)"
        raise DataError(f"received {received}, expected a Parquet file", source=source)
    stream.seek(-len(MAGIC), 2)
    tail = stream.read(len(MAGIC))
    stream.seek(0)
    if tail != MAGIC:
        raise DataError("the Parquet file ends before its end: it is cut off (copy it again)", source=source)
