"""A thing that may go, and how things go: under a new name first, so that an interruption leaves nothing half there."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ferryman.storage.local import partial_beside

SPARED: Final = 86_400.0
"""Seconds for which what is young stays, named or not: a run that starts names its inputs soon after it pinned them."""

Kind = Literal["run", "artifacts", "input", "wheel", "version", "partial"]


@dataclass(frozen=True)
class Leftover:
    """What nothing names, and how to remove it."""

    kind: Kind
    path: Path
    size: int
    """Bytes on disk."""

    text: str
    """What it is, for people."""

    remove: Callable[[], str]
    """Removes it, unless it is in use by then: why it stays, empty when it is gone."""


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of all files in and below the given paths; no link is followed."""
    total = 0
    for path in paths:
        names = [path]
        for folder, _, files in os.walk(path):
            names += [Path(folder) / file for file in files]
        for name in names:
            try:
                found = name.lstat()
            except FileNotFoundError:
                continue
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def discard(path: Path) -> None:
    """Remove a file or a folder; it is gone from its name at once, and what an interruption leaves is a partial file."""
    doomed = partial_beside(path)
    try:
        os.rename(path, doomed)
    except FileNotFoundError:
        return
    if doomed.is_dir() and not doomed.is_symlink():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()
