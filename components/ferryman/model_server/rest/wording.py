"""JSON values as the real server shows them in its errors.

Source: util/json_tensor.cc (JsonValueToDebugString, JsonWriterWithLimit, JsonTypeString); RapidJSON 1.1.0, prettywriter.h
and internal/dtoa.h (Prettify).
"""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import islice
from typing import Any

from ferryman.model_server.rest.rapidjson import members
from ferryman.model_server.rest.strings import quoted

LONGEST = 256
"""Bytes after which nothing more is begun."""

INDENT = b"    "


def type_name(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    if isinstance(value, bool):
        return str(value)
    names = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}
    return next(name for kind, name in names.items() if isinstance(value, kind))


def shown(value: Any) -> str:
    """A value on lines with four spaces of indent, lists on one line; what is too long just ends."""
    writer = _Writer()
    steps: list[tuple[str, Any]] = [("value", value)]
    while steps and writer.take(*steps.pop(), steps):
        pass
    return writer.written.decode("utf-8", "surrogateescape")


class _Writer:
    def __init__(self) -> None:
        self.written = bytearray()
        self._levels: list[tuple[bool, list[None]]] = []
        """Whether each open level is a list, and as many entries as it has values and keys."""

    def take(self, kind: str, value: Any, steps: list[tuple[str, Any]]) -> bool:
        """Write one thing, and add to `steps` what follows it; whether there was room, and words, for it."""
        if len(self.written) >= LONGEST:
            return False
        if kind == "end":
            self._end(value)
            return True
        self._begin()
        if isinstance(value, list):
            self._open(b"[", [("value", entry) for entry in islice(value, LONGEST)], steps)
        elif isinstance(value, dict):
            inside = islice(members(value), LONGEST)
            self._open(b"{", [step for key, entry in inside for step in (("key", key), ("value", entry))], steps)
        elif isinstance(value, float) and not math.isfinite(value):
            return False
        else:
            self.written += _scalar(value)
        return True

    def _open(self, bracket: bytes, inside: list[tuple[str, Any]], steps: list[tuple[str, Any]]) -> None:
        self.written += bracket
        self._levels.append((bracket == b"[", []))
        steps.append(("end", b"]" if bracket == b"[" else b"}"))
        steps += reversed(inside)

    def _begin(self) -> None:
        if not self._levels:
            return
        is_list, before = self._levels[-1]
        if is_list:
            self.written += b", " if before else b""
        elif len(before) % 2:
            self.written += b": "
        else:
            self.written += (b",\n" if before else b"\n") + INDENT * len(self._levels)
        before.append(None)

    def _end(self, bracket: bytes) -> None:
        is_list, before = self._levels.pop()
        if before and not is_list:
            self.written += b"\n" + INDENT * len(self._levels)
        self.written += bracket


def _scalar(value: Any) -> bytes:
    if isinstance(value, str):
        return quoted(value.encode("utf-8", "surrogateescape"))
    if value is None:
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode() if isinstance(value, int) else _double(value)


def _double(value: float) -> bytes:
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent)
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0.0".encode()
    if len(text) <= point <= 21:
        return f"{minus}{text.ljust(point, '0')}.0".encode()
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}".encode()
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}".encode()
    return f"{minus}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{point - 1}".encode()
