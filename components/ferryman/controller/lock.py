"""Who runs a local group: one lock, and the endpoints that its holder tells."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import ArtifactError, UnavailableError

LOCK = "lock"
ENDPOINTS = "endpoints.json"

PATIENCE = 1.0
"""Seconds for which a held lock is asked again: whoever only looks at it holds it for an instant."""


class Endpoints(Evidence):
    """`endpoints.json`: where the group's server listens, while it does."""

    pid: int
    grpc: str
    """`host:port`."""

    rest: str
    """`http://host:port`."""

    server: str = ""
    """Which server it is."""

    started: str = ""
    """ISO 8601 UTC."""


def read_endpoints(folder: Path) -> Endpoints | None:
    """Where the group's server listens now; None when no group process holds the lock or its server is not up."""
    if not lock_held(folder):
        return None
    try:
        return Endpoints.read(folder / ENDPOINTS)
    except ArtifactError:
        return None


@contextlib.contextmanager
def group_lock(folder: Path) -> Iterator[None]:
    """Hold the group's lock; the kernel gives it back however this process ends.

    Raises:
        UnavailableError: another process holds it; the message names its pid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        deadline = time.monotonic() + PATIENCE
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"the group in {folder} is run by another process (pid {holder(folder) or 'unknown'}): "
                    "it serves already; stop that one first"
                )
            time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_held(folder: Path) -> bool:
    """Whether a group process runs."""
    try:
        with (folder / LOCK).open() as file:
            # Shared: two who only look do not see each other.
            return not _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def holder(folder: Path) -> int | None:
    """The pid that whoever took the lock last wrote into it."""
    try:
        return int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
