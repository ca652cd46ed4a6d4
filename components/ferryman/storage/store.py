"""The port: a store is a tree of named bytes below one URI; local folders now, other places behind the same few calls.

store = open_store("file:///data/inputs")
store.create("sha256/ab12", content)      # False when it exists: the first writer wins
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import unquote, urlsplit

from ferryman.errors import DataError, UsageError
from ferryman.storage.local import create_from, replace_from


class MissingFileError(DataError):
    """Nothing lies in the store under `name`."""

    def __init__(self, uri: str, name: str) -> None:
        self.uri, self.name = uri, name
        super().__init__(f"no such file in {uri}", source=name)


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


def split_uri(uri: str) -> tuple[str, str]:
    """The URI of the folder that holds `uri`'s file, and the file's name; UsageError when it names no file."""
    if scheme_of(uri) in ("", "file"):
        path = local_path(uri)
        return str(path.parent), path.name
    folder, _, name = uri.rpartition("/")
    if not name or folder.endswith("/"):
        raise UsageError(f"{uri}: received a place, expected a file in it")
    return folder, name


def local_path(uri: str) -> Path:
    """The path that a local path or `file://` URI names.

    Raises:
        UsageError: a file URI of another machine (`file://host/...`) or a relative one.
    """
    if scheme_of(uri) != "file":
        return Path(uri)
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise UsageError(f"{uri}: expected file:///absolute/path (three slashes, or no file:// for a relative path)")
    return Path(unquote(parts.path))


def scheme_of(uri: str) -> str:
    """The scheme in lower case; empty for a path."""
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator else ""


def check_name(name: str) -> str:
    """`name`, when it is a relative POSIX path that stays inside; else UsageError."""
    if not is_inside(name):
        raise UsageError(f"received the name {name!r}, expected a relative path without '.', '..' and '\\'")
    return name


def is_inside(name: str) -> bool:
    """Whether a relative POSIX path stays below where it starts, on every operating system."""
    parts = name.split("/")
    # A backslash or a drive's colon would be a path of its own on Windows.
    return not any(part in ("", ".", "..") for part in parts) and not any(mark in name for mark in "\\\0")


def copy(source: Store, name: str, target: Store, target_name: str) -> bool:
    """Copy one file between stores, create-only; False when the target has it already."""
    with source.open(name) as stream:
        return target.create(target_name, stream)


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
