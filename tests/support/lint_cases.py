"""Sound documents for the linter, and the same with one thing changed."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ferryman_pipelines.lint import Finding, lint_documents
from ferryman_pipelines.lint.reading import read_documents

SOUND = Path(__file__).parents[1] / "lint"
GONE = object()
"""Instead of a value: the field is taken away."""

Change = tuple[str, Any]
"""The path of a field, its parts divided by `/` and the document's number (from 0) first, and its new value."""


def sound(name: str) -> list[Any]:
    """The documents of `pipeline` or `objects`, in which no rule finds anything."""
    return deepcopy(_read(name))


@cache
def _read(name: str) -> list[Any]:
    return read_documents(SOUND / f"sound.{name}.yaml")


def changed(documents: list[Any], *changes: Change) -> list[Any]:
    """The documents with some fields set, added or taken away."""
    for path, value in changes:
        *parts, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
        node: Any = documents
        for part in parts:
            node = node[part] if isinstance(node, list) else node.setdefault(part, {})
        if value is GONE:
            del node[last]
        else:
            node[last] = value
    return documents


def found(documents: list[Any]) -> list[Finding]:
    """What the linter finds, nothing waived."""
    return lint_documents(documents, {})
