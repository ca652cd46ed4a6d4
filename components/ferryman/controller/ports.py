"""Where the group record lies: a folder here; a Kubernetes object elsewhere, behind the same three calls."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import FILE, GroupRecord
from ferryman.storage.local import atomic_write


class RecordPort(Protocol):
    """One document with compare-and-swap."""

    def read(self) -> GroupRecord | None:
        """The record; None when there is none."""

    def swap(self, before: GroupRecord | None, after: GroupRecord) -> None:
        """Put `after` in the place of `before`; ConflictError when something else lies there."""


class FolderRecord:
    """The record as a file; only the holder of the group's lock writes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def read(self) -> GroupRecord | None:
        """The record; one that is empty or unreadable is put aside for a person to look at, and counts as lost."""
        try:
            return GroupRecord.read(self._path)
        except ArtifactError:
            if self._path.exists():
                os.replace(self._path, self._path.with_name(f"record.json.unreadable-{time.time_ns()}"))
            return None

    def swap(self, before: GroupRecord | None, after: GroupRecord) -> None:
        """Compare by (epoch, generation) and replace atomically."""
        found = self.read()
        if (found.fence if found else None) != (before.fence if before else None):
            raise ConflictError(f"{self._path}: somebody else wrote it; deciding again")
        atomic_write(self._path, f"{after.model_dump_json(indent=1)}\n".encode())
