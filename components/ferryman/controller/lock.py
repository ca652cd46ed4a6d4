"""Who runs a local group: one lock, and the endpoints that its holder tells."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import ArtifactError
from ferryman.storage.lock import held, hold

LOCK = "lock"
ENDPOINTS = "endpoints.json"


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


def group_lock(folder: Path) -> AbstractContextManager[None]:
    """Hold the group's lock; UnavailableError, with its pid, when another process holds it."""
    busy = f"the group in {folder} is run by another process (pid {{pid}}): it serves already; stop that one first"
    return hold(folder / LOCK, busy)


def lock_held(folder: Path) -> bool:
    """Whether a group process runs."""
    return held(folder / LOCK)
