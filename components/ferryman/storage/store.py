"""The port: a store is a tree of named bytes below one URI; local folders now, other places behind the same few calls.

store = open_store("file:///data/inputs")
store.create("sha256/ab12", content)      # False when it exists: the first writer wins
"""

from __future__ import annotations

import builtins
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ferryman.errors import DataError, UsageError
from ferryman.storage.local import create_from, replace_from
from ferryman.storage.uri import MissingFileError, check_name, local_path, scheme_of


class Store(Protocol):
    """Named bytes below a URI; names are relative POSIX paths. A write appears whole or not at all."""

    uri: str

    def open(self, name: str) -> BinaryIO:
        """The bytes under `name` as a stream; MissingFileError when there are none."""

    def write(self, name: str, stream: BinaryIO) -> None:
        """Put the rest of `stream` under `name`, in the place of what was there."""

    def create(self, name: str, stream: BinaryIO) -> bool:
        """Put the rest of `stream` under `name`; False, and nothing changed, when it exists already."""

    def exists(self, name: str) -> bool:
        """Whether bytes lie under `name`."""

    def list(self, prefix: str = "") -> list[str]:
        """All names that start with `prefix`, sorted."""

    def children(self, folder: str = "") -> builtins.list[str]:
        """First parts of the names below `folder`, sorted: what lies deeper is not listed."""

    def holds(self, folder: str) -> bool:
        """Whether any name lies below `folder`; nothing is listed for it."""


class LocalStore:
    """A folder of this machine as a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.uri = self.folder.as_uri()

    def open(self, name: str) -> BinaryIO:
        """The file `name`, opened for reading."""
        path = self._path(name)
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingFileError(self.uri, name) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from error
        return file

    def write(self, name: str, stream: BinaryIO) -> None:
        """Replace the file `name` atomically."""
        replace_from(self._path(name), stream)

    def create(self, name: str, stream: BinaryIO) -> bool:
        """Create the file `name` atomically, unless it exists."""
        return create_from(self._path(name), stream)

    def exists(self, name: str) -> bool:
        """Whether `name` is a file."""
        return self._path(name).is_file()

    def list(self, prefix: str = "") -> list[str]:
        """Names of files below the folder; those whose writing was cut off (`.*.partial`) are none."""
        found = []
        for folder, _, files in os.walk(self.folder):
            for file in files:
                name = (Path(folder) / file).relative_to(self.folder).as_posix()
                if name.startswith(prefix) and not (file.startswith(".") and file.endswith(".partial")):
                    found.append(name)
        return sorted(found)

    def children(self, folder: str = "") -> builtins.list[str]:
        """Names of files and folders in `folder`; none when it is missing."""
        path = self._path(folder) if folder else self.folder
        return sorted(os.listdir(path)) if path.is_dir() else []

    def holds(self, folder: str) -> bool:
        """Whether `folder` is one and not empty."""
        return bool(self.children(folder))

    def _path(self, name: str) -> Path:
        return self.folder / check_name(name)


def open_store(uri: str) -> Store:
    """The store at `uri`: a local path, `file://` or `gs://BUCKET[/PREFIX]`.

    Raises:
        UsageError: another scheme, or no place in the URI.
    """
    scheme = scheme_of(uri)
    if scheme not in _OPENERS:
        supported = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"{uri}: received scheme {scheme!r}, expected a local path or one of {supported}")
    return _OPENERS[scheme](uri)


def is_regular(path: Path) -> bool:
    """Whether `path` is a file with an end: a pipe or a device would be read for ever."""
    return stat.S_ISREG(path.stat().st_mode)


def _local(uri: str) -> Store:
    return LocalStore(local_path(uri))


def _google(uri: str) -> Store:
    from ferryman.storage.gcs import GoogleStore

    return GoogleStore.at(uri)


_OPENERS: Final[dict[str, Callable[[str], Store]]] = {"": _local, "file": _local, "gs": _google}

SCHEMES: Final = tuple(scheme for scheme in _OPENERS if scheme)
"""What `open_store` opens, beside a local path."""
