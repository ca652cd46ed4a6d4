"""A file as the documents in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ferryman.spec.reading import read_text
from ferryman.spec.yaml import read_yaml_stream

MAX_BYTES: Final = 4_000_000
"""A pipeline of four megabytes is beyond what Argo can hold."""


def read_documents(path: Path) -> list[Any]:
    """The YAML or JSON documents of a file as plain data; SpecError says what is wrong, with its line."""
    return read_yaml_stream(read_text(path, MAX_BYTES), str(path), max_bytes=MAX_BYTES)
