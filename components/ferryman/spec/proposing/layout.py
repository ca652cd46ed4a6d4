"""YAML that a person likes to read: flow mappings for small blocks, comments in a column, nothing that needs escaping by luck."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ferryman.spec.yaml import read_scalar

WIDTH: Final = 116
"""Characters of a line, comments included."""

COLUMN: Final = 64
"""Lines of so many characters leave no room for a comment behind them."""

_PLAIN: Final = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~+-]*( [A-Za-z0-9_./~+-]+)*")


@dataclass(frozen=True)
class Line:
    """One line of YAML and the comment behind it."""

    text: str
    comment: str = ""


def scalar(value: Any) -> str:
    """A value as YAML: text plain where it stays text, else in double quotes."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and read_scalar(value) == value else quoted(value)
    return json.dumps(value)


def quoted(text: str) -> str:
    """Text in double quotes; what cannot be printed is written by its number."""
    # JSON writes characters beyond U+FFFF as two halves, which YAML does not join.
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(character if character.isprintable() else _escape(character) for character in escaped)


def flow(value: Any) -> str:
    """A value as YAML in one line: `{kind: number, missing: mean}`, `[32, 64]`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def aligned(lines: Sequence[Line]) -> list[str]:
    """The lines with their comments in one column; a comment stands above a line that leaves no room for it."""
    column = max((len(line.text) for line in lines if len(line.text) < COLUMN), default=0) + 2
    written: list[str] = []
    for line in lines:
        if not line.comment:
            written.append(line.text)
        elif len(line.text) >= COLUMN:
            written += [*comment(line.comment, len(line.text) - len(line.text.lstrip())), line.text]
        else:
            first, *rest = _wrapped(line.comment, WIDTH - column - 4)
            written += [f"{line.text.ljust(column)}# {first}", *(f"{' ' * column}#   {more}" for more in rest)]
    return written


def comment(text: str, indent: int = 0, hanging: str = "") -> list[str]:
    """Comment lines of their own; `hanging` indents those that go on."""
    start = f"{' ' * indent}# "
    return _wrapped(text, WIDTH, start, start + hanging)


def _wrapped(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    # A line separator of Unicode would end the comment, and what stands behind it would be YAML.
    safe = "".join(character if character.isprintable() else _escape(character) for character in text)
    return textwrap.wrap(safe, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
