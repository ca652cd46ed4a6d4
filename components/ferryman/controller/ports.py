"""Where the group record lies: a folder here; a Kubernetes object elsewhere, behind the same three calls."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import FILE, GroupRecord, read_group
from ferryman.storage.local import atomic_write


class RecordPort(Protocol):
    """One document with compare-and-swap."""

    def read(self) -> GroupRecord | None:
        """The record; None when there is none."""

    def swap(self, before: GroupRecord | None, after: GroupRecord) -> None:
        """Put `after` in the place of `before`; ConflictError when something else lies there."""

    def put_aside(self) -> None:
        """Take away what is no record that can be obeyed, and keep it for a person to look at."""


class FolderRecord:
    """The record as a file; only the holder of the group's lock writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / FILE

    def read(self) -> GroupRecord | None:
        """The record; one that is empty or unreadable is put aside, and counts as lost.

        Raises:
            UnavailableError: a newer ferryman wrote it.
        """
        try:
            return read_group(self._folder)
        except ArtifactError:
            self.put_aside()
            return None

    def swap(self, before: GroupRecord | None, after: GroupRecord) -> None:
        """Compare by (epoch, generation) and replace atomically."""
        found = self.read()
        if (found.fence if found else None) != (before.fence if before else None):
            raise ConflictError(f"{self._path}: somebody else wrote it; deciding again")
        if before and after.fence <= before.fence:
            raise ConflictError(f"{self._path}: {after.fence} does not follow {before.fence}")
        atomic_write(self._path, f"{after.model_dump_json(indent=1)}\n".encode())

    def put_aside(self) -> None:
        """Rename it to `record.json.<time>.aside`."""
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._path, self._path.with_name(f"{FILE}.{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.aside"))
