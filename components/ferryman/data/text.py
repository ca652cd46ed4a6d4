"""A source's bytes as lines of text: decompressed on the way, and refused where they are no text."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from ferryman.errors import DataError

MAX_LINE: Final = 1 << 26
"""Longest line, in bytes (64 MiB): a file without line ends must not fill the memory."""

_BOM: Final = b"\xef\xbb\xbf"

_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (save it as CSV)",
    b"PAR1": "a Parquet file (say `kind: parquet` in the format)",
    b"ARROW1": "an Arrow file",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format": "an SQLite database",
}
"""First bytes of what people hand in by mistake."""


def text_lines(stream: BinaryIO, source: str) -> Iterator[str]:
    """The lines of UTF-8 text, each with its end; gzip is known by its first bytes, a byte order mark is dropped.

    Raises:
        DataError: damaged gzip, another file format, bytes that are not UTF-8 or not text (it names the line).
    """
    number = 0
    try:
        content = _decompressed(stream, source)
        while line := content.readline(MAX_LINE + 1):
            number += 1
            yield _decoded(line.removeprefix(_BOM) if number == 1 else line, source, number)
    except EOFError:
        raise DataError(
            "the gzip stream ends before its end: the file is cut off (copy or download it again)",
            source=source,
            line=number + 1,
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        message = f"damaged gzip stream ({error}): copy or download the file again"
        raise DataError(message, source=source, line=number + 1) from error


def _decompressed(stream: BinaryIO, source: str) -> BinaryIO:
    head, content = _peek(stream)
    if not head:
        raise DataError("the file is empty", source=source)
    if head.startswith(b"\x1f\x8b"):
        head, content = _peek(cast(BinaryIO, gzip.GzipFile(fileobj=content)))
        if not head:
            raise DataError("the file is empty (once decompressed)", source=source)
    kind = foreign_kind(head)
    if kind:
        raise DataError(f"received {kind}, expected text in UTF-8, or such text compressed by gzip", source=source)
    return content


def foreign_kind(head: bytes) -> str:
    """What a file is that begins with these bytes and is no text; empty when nothing tells."""
    return next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), "")


def _peek(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), 1 << 16)
    return buffered.peek(16)[:16], cast(BinaryIO, buffered)


def _decoded(line: bytes, source: str, number: int) -> str:
    if len(line) > MAX_LINE:
        message = f"a line of more than {MAX_LINE >> 20} MiB, expected rows (is this a text file?)"
        raise DataError(message, source=source, line=number)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1} of the line is 0x{line[error.start]:02x}"
        raise DataError(
            f"not UTF-8: {place} after {_tail(line[: error.start])!r}; save the file as UTF-8",
            source=source,
            line=number,
        ) from None
    if "\0" in text:
        message = "a NUL character: received binary data (or UTF-16), expected text in UTF-8"
        raise DataError(message, source=source, line=number)
    return text


def _tail(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")[-20:]
