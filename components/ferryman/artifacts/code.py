"""Which code made an artifact: a digest of this package's own sources."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import ferryman


@cache
def code_digest() -> str:
    """SHA-256 over path and bytes of every Python file of the installed `ferryman` package."""
    (root,) = ferryman.__path__
    total = hashlib.sha256()
    for path in sorted(Path(root).rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
