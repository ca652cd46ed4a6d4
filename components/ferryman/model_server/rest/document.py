"""JSON documents as the real server's parser reads them: fast where it can be, exact where it must.

Source: util/json_tensor.cc (ParseJson and its flags).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import orjson

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.rest import rapidjson
from ferryman.model_server.rest.nested import nested
from ferryman.model_server.rest.rapidjson import Members, ParseError

LARGEST_EXACT = 16 << 20
"""Bytes of a refused document up to which the exact words and place of its error are looked for: it takes 1 s a MiB."""


_KEY_END = re.compile(rb'"[ \n\r\t]*:')

_DOUBTFUL = re.compile(rb'''\\\\":|,[ \n\r\t]*"b64"''')
"""What may be a key that ends in a backslash, or one more member of an object of bytes."""


class Document:
    """A request's body: an object, and what is known of it without looking at every value."""

    def __init__(self, body: bytes) -> None:
        """Read it; Refusal with the real server's words when it is no JSON object."""
        if not body:
            raise Refusal(INVALID_ARGUMENT, "JSON Parse error: The document is empty")
        self.body = body
        self.nested = nested(body)
        self._root: dict[str, Any] | None = None if self.nested else _object(_read(body))

    @property
    def root(self) -> dict[str, Any]:
        """All of it; bodies of numbers alone become objects when somebody asks."""
        if self._root is None:
            self._root = _object(_read(self.body))
        return self._root

    def may_hold_truth_values(self) -> bool:
        """Whether there can be a `true` or `false`."""
        # Single bytes are found ten times as fast as words, and numbers have neither.
        body = self.body
        return (b"r" in body and b"true" in body) or (b"f" in body and b"false" in body)

    def count_once(self, *members: Iterable[Any]) -> None:
        """Read it again, exactly, unless it has as many keys as these objects: a key that stands twice shows so.

        `members` are the objects that were found, apart from the root and `{"b64": ...}`.
        """
        body, expected = self.body, len(self.root) + sum(sum(map(len, group)) for group in members)
        if body.count(b":") == expected:
            return
        # Bytes that are an object, and text with a colon in it, are told from keys.
        found = len(_KEY_END.findall(body)) - body.count(b'\\":')
        if found != expected + body.count(b'"b64":') or _DOUBTFUL.search(body):
            self._root = _object(_read_again(body))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        from ferryman.model_server.rest.wording import shown

        raise Refusal(INVALID_ARGUMENT, f"JSON Value: {shown(value)} Is not object")
    return value


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_again(body)


def _read_again(body: bytes) -> Any:
    # NaN, text after the end, keys that stand twice: Python's reader has them, in C. Half of a pair of escapes it takes.
    if b"\\ud" not in body and b"\\uD" not in body:
        try:
            found = _decoder.raw_decode(body.decode().lstrip(" \n\r\t"))[0]
        except (ValueError, RecursionError):
            found = None
        # What ends a bare number is not looked at; what ends an object is.
        if isinstance(found, dict):
            return found
    return _read_exactly(body)


def _read_exactly(body: bytes) -> Any:
    if len(body) > LARGEST_EXACT:
        raise Refusal(INVALID_ARGUMENT, f"JSON Parse error: Invalid value. at offset: {_offset(body)}")
    try:
        return rapidjson.parse(body)
    except ParseError as error:
        raise Refusal(INVALID_ARGUMENT, f"JSON Parse error: {error.text} at offset: {error.offset}") from error


def _offset(body: bytes) -> int:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return error.pos
    return 0


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _int(text: str) -> int | float:
    if len(text) > 20:
        return _float(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


_decoder = json.JSONDecoder(object_pairs_hook=Members.of, parse_float=_float, parse_int=_int)
