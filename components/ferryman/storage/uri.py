"""URIs of stores and the names in them: what a scheme is, where a local path lies, which names stay inside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ferryman.errors import DataError, UsageError


class MissingFileError(DataError):
    """Nothing lies in the store under `name`."""

    def __init__(self, uri: str, name: str) -> None:
        self.uri, self.name = uri, name
        super().__init__(f"no such file in {uri}", source=name)


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
