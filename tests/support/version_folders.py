"""Versions that lie nowhere: what a server's core asks of folders, answered from a list of numbers."""

from __future__ import annotations

from pathlib import Path


class VersionFolders:
    """Each base path has the same versions."""

    def __init__(self, *versions: int) -> None:
        self._versions = [str(version) for version in versions]

    def exists(self, path: str) -> bool:
        return True

    def children(self, path: str) -> list[str]:
        return self._versions

    def fetch(self, path: str) -> Path:
        return Path(path)

    def walk(self, path: str) -> None:
        """All of it can be looked through."""

    def release(self, folder: Path) -> None:
        """Nothing was fetched."""
