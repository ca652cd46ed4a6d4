"""Literal values: the strings in them, and how a message shows one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def texts(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Place and text of every string in plain data, keys included."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield where, str(key)
            yield from texts(f"{where}.{key}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(f"{where}[{number}]", item)


def short(text: str, most: int = 80) -> str:
    """Text as a message shows it: in quotes, in one line, cut."""
    line = " ".join(text.split())
    return repr(line if len(line) <= most else f"{line[: most - 3]}...")
