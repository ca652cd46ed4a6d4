"""A source as a stream that knows how far it was read, and rows from places all over a file that is not read to its end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from ferryman.data.csv_table import CsvTable
from ferryman.data.options import CsvFormat
from ferryman.data.table import Batch, Header
from ferryman.errors import DataError

PLACES: Final = 40
"""Places of a file that are looked into: classes with a share of a tenth are then missed once in seventy files."""

ROWS: Final = 10
"""Rows at each place."""

WINDOW: Final = 1 << 18
"""Bytes read at each place at most (256 KiB): ten rows of a wide table."""


CHUNK: Final = 1 << 13
"""Bytes read at once (8 KiB): what lies in buffers and was not looked at yet must not count for much."""


class Counted(io.RawIOBase):
    """Counts the bytes that were read of a stream, and sees whether they are compressed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0
        self.plain = True
        """Whether the bytes are the text itself, so that a place in them is a place in the text."""

    def readable(self) -> bool:
        """As every stream that is read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As io.RawIOBase."""
        content = self._stream.read(min(len(buffer), CHUNK))
        if not self.count:
            self.plain = not content.startswith(b"\x1f\x8b")
        buffer[: len(content)] = content
        self.count += len(content)
        return len(content)


def size_of(stream: BinaryIO) -> int | None:
    """Bytes of a stream that stands at its beginning; None where it does not say."""
    try:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
    except (OSError, AttributeError):
        return None
    return size


def spread_batches(stream: BinaryIO, start: int, size: int, form: CsvFormat, header: Header) -> Iterator[Batch]:
    """A few whole rows from each of some places between the bytes `start` and `size`; none where they cannot be told.

    A place may lie inside a quoted cell with line ends: rows of another width are left out.
    """
    for number in range(PLACES):
        stream.seek(start + (size - start) * number // PLACES)
        # The first and the last line of a window are parts of rows.
        lines = stream.read(WINDOW).split(b"\n")[1:-1][:ROWS]
        try:
            table = CsvTable(io.BytesIO(b"\n".join(lines)), form.model_copy(update={"header": False}), header.source)
            if table.header.width == header.width:
                for batch in table.batches():
                    yield Batch(header, batch.lines, batch.rows)
        except DataError:
            continue
