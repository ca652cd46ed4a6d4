"""YAML as people read it: plain data by the core rules of YAML 1.2, read from parser events.

`1e-3` is a number, `no` is a string, `0123` is 123 and no octal, a date is a string. Duplicate keys, anchors, aliases,
tags and merge keys are refused, and a second document where one is expected, so no text can grow into something larger
than itself.

Source: YAML 1.2.2, section 10.3 (core schema).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from ferryman.errors import SpecError

MAX_BYTES = 1_000_000
"""No spec or targets file comes near a megabyte; a larger file is something else."""

MAX_DEPTH = 50

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


def read_yaml(text: str, file: str = "") -> Any:
    """The plain data (dict, list, str, int, float, bool, None) of the one document in `text`.

    Raises:
        SpecError: not YAML, more than one document, a duplicate key, or something that plain data do not need.
    """
    documents = read_yaml_stream(text, file, most=1)
    return documents[0] if documents else None


def read_yaml_stream(text: str, file: str = "", *, most: int | None = None, max_bytes: int = MAX_BYTES) -> list[Any]:
    """The plain data of every document in `text`, of which there may be at most `most`.

    Raises:
        SpecError: as for `read_yaml`.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text.encode("utf-8", errors="replace")) > max_bytes:
        raise SpecError("", f"received more than {max_bytes:,} bytes, expected a small YAML file", file)
    try:
        events = YAML(typ="safe", pure=True).parse(text)
        return list(_Reader(events, file).documents(most))
    except MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SpecError("", f"{where}not YAML: {error.problem or error.context}", file) from error
    except YAMLError as error:
        raise SpecError("", f"not YAML: {' '.join(str(error).split())}", file) from error


def read_scalar(text: str) -> Any:
    """What a plain scalar means by the same rules, e.g. the value of `--set train.epochs=3`."""
    return _plain(text.strip())


class _Reader:
    """Builds plain data from parser events, keeping the line of everything for errors."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events, self._file = events, file

    def documents(self, most: int | None) -> Iterator[Any]:
        found = 0
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                found += 1
                if most is not None and found > most:
                    raise self._error(event, "a second document; expected one (remove the line `---`)")
                yield self._value(next(self._events), 0)

    def _value(self, event: Any, depth: int) -> Any:
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise self._error(event, "anchors and aliases (& and *) are not read; write the value out")
        if getattr(event, "ctag", None) is not None and event.tag is not None:
            raise self._error(event, f"the tag {event.tag} is not read; write plain data")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        if kind == "ScalarEvent":
            return _plain(event.value) if event.style in (None, "") else self._text(event)
        if kind == "SequenceStartEvent":
            return self._sequence(depth)
        return self._mapping(depth)

    def _sequence(self, depth: int) -> list[Any]:
        values = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                raise self._error(event, "a key that is no plain text")
            self._value(event, depth)  # for its refusals of tags and anchors
            key = self._text(event)
            if key == "<<":
                raise self._error(event, "merge keys (<<) are not read; write the values out")
            if key in values:
                raise self._error(event, f"the key {key!r} stands already in line {lines[key]}; remove one of them")
            lines[key] = event.start_mark.line + 1
            values[key] = self._value(next(self._events), depth + 1)
        return values

    def _text(self, event: Any) -> str:
        """JSON writes what lies beyond 16 bits as two escapes, which belong together."""
        try:
            return str(event.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._error(event, f"{event.value[:60]!a} has half of a surrogate pair, which is no text") from None

    def _error(self, event: Any, message: str) -> SpecError:
        return SpecError("", f"line {event.start_mark.line + 1}: {message}", self._file)


def _plain(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text) or _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _integer(text)
    if _INFINITE.fullmatch(text):
        return -math.inf if text.startswith("-") else math.inf
    if _NAN.fullmatch(text):
        return math.nan
    return float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str) -> int | str:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    # Python refuses decimals of more than 4,300 digits; such a thing is no number that a spec means.
    return int(text, base) if len(text) < 100 else text
