"""Strings in answers, escaped as RapidJSON's writer does: bytes that are no UTF-8 go out as they are.

Source: RapidJSON 1.1.0, writer.h (WriteString).
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(rb'[\x00-\x1f"\\]')
_ESCAPED = {bytes((byte,)): b"\\u%04X" % byte for byte in range(0x20)} | {
    b"\b": b"\\b",
    b"\t": b"\\t",
    b"\n": b"\\n",
    b"\f": b"\\f",
    b"\r": b"\\r",
    b'"': b'\\"',
    b"\\": b"\\\\",
}


def quoted(raw: bytes) -> bytes:
    """A JSON string."""
    if _SPECIAL.search(raw):
        raw = _SPECIAL.sub(lambda found: _ESCAPED[found.group()], raw)
    return b'"%b"' % raw
