"""A chunked body (RFC 9112, section 7.1), taken piece by piece from what was received."""

from __future__ import annotations

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)

LONGEST_LINE = 4096
"""Bytes of a chunk's size and extensions, or of a trailer line."""

MOST_TRAILERS = 100


class Malformed(Exception):
    """What cannot be a request; it is answered with the error page of `status`, and the connection closes."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


class Chunks:
    """The chunks of one body, up to `largest` bytes together."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._body = bytearray()
        self._left = 0
        """Bytes of the chunk that are still to come."""

        self._ended_chunk = False
        """Whether the end of a chunk's line comes next."""

        self._trailers: int | None = None
        """Lines after the last chunk; None before it."""

    def take(self, received: bytearray) -> bytes | None:
        """The whole body once its end has come, else None; what belongs to it is removed from `received`.

        Raises:
            Malformed: 413 when it is no chunked body or too long a one, as libevent answers both.
        """
        while received:
            if self._left:
                self._take_data(received)
                continue
            line = self._line(received)
            if line is None:
                return None
            if self._ended(line):
                return bytes(self._body)
        return None

    def _take_data(self, received: bytearray) -> None:
        part = min(self._left, len(received))
        self._body += memoryview(received)[:part]
        del received[:part]
        self._left -= part
        self._ended_chunk = not self._left

    def _line(self, received: bytearray) -> bytes | None:
        end = received.find(b"\n", 0, LONGEST_LINE)
        if end < 0:
            if len(received) >= LONGEST_LINE:
                raise Malformed(413)
            return None
        line = bytes(received[:end]).removesuffix(b"\r")
        del received[: end + 1]
        return line

    def _ended(self, line: bytes) -> bool:
        if self._trailers is not None:
            self._trailers += 1
            if self._trailers > MOST_TRAILERS:
                raise Malformed(413)
            return not line
        if self._ended_chunk:
            if line:
                raise Malformed(413)
            self._ended_chunk = False
            return False
        self._begin(line)
        return False

    def _begin(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if not size or len(self._body) + int(size[1], 16) > self._largest:
            raise Malformed(413)
        self._left = int(size[1], 16)
        if not self._left:
            self._trailers = 0
