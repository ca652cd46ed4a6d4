"""A lock that lies in a file: held by one process, given back by the kernel however that process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ferryman.errors import UnavailableError

PATIENCE = 1.0
"""Seconds for which a held lock is asked again: whoever only looks at it holds it for an instant."""


@contextlib.contextmanager
def hold(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock at `path`.

    Raises:
        UnavailableError: another process holds it; `busy` says what that means, with `{pid}` for the holder's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline = time.monotonic() + PATIENCE
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise UnavailableError(busy.replace("{pid}", str(holder(path) or "unknown")))
            time.sleep(0.05)
        if not _lies_at(file, path):
            raise UnavailableError(f"{path.parent} was removed this very moment")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def share(path: Path) -> Iterator[None]:
    """Keep those out who `hold` the lock at `path`, beside any number of others who share it.

    It waits for a holder, who must keep such a lock for an instant only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def held(path: Path) -> bool:
    """Whether a process holds the lock at `path`; one that nobody ever took, or that nobody here may read, is free."""
    try:
        with path.open() as file:
            # Shared: two who only look do not see each other.
            return not _locked(file, fcntl.LOCK_SH)
    except OSError:
        return False


def holder(path: Path) -> int | None:
    """The pid that whoever took the lock last wrote into it."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _lies_at(file: IO[str], path: Path) -> bool:
    """Whether the locked file is still the one at `path`: it may have been removed while it was waited for."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
