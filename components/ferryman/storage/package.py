"""`package://NAME[@VERSION]/PATH`: one file of a Python package, which is neither installed nor imported for it.

The file comes from the installed distribution when its version is the one asked for, else out of the wheel that pip
fetches into a cache. Only that one file of the wheel is read.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, Final, cast

from ferryman.errors import DataError, UsageError
from ferryman.storage.local import CHUNK
from ferryman.storage.uri import is_inside
from ferryman.storage.wheel import cached_wheel, discard_wheel

SCHEME: Final = "package"

_URI: Final = re.compile(r"package://(?P<name>[^@/]+)(?:@(?P<version>[^/]*))?/(?P<path>.+)", re.DOTALL)
# Source: packaging.python.org, "Names and normalization" (PEP 508); versions as in PEP 440 without operators and `*`.
_NAME: Final = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class PackageFile:
    """One file of a distribution; `version` is None for whatever is installed."""

    name: str
    version: str | None
    path: str

    @classmethod
    def parse(cls, uri: str) -> PackageFile:
        """The parts of a `package://` URI; UsageError when it is not one or its path leads out of the package."""
        match = _URI.fullmatch(uri)
        if not match:
            raise UsageError(f"received {uri!r}, expected package://NAME@VERSION/PATH/IN/THE/PACKAGE")
        name, version, path = match["name"], match["version"], match["path"]
        if not _NAME.fullmatch(name):
            raise UsageError(f"{uri}: received the package name {name!r}, expected letters, digits, '.', '_' and '-'")
        if version is not None and not _VERSION.fullmatch(version):
            raise UsageError(f"{uri}: received the version {version!r}, expected an exact one such as 1.4.0")
        if not is_inside(path):
            raise UsageError(f"{uri}: received the path {path!r}, expected one that stays inside the package")
        return cls(normal_name(name), version, path)

    def __str__(self) -> str:
        """The URI, with the name normalised."""
        return f"package://{self.name}{f'@{self.version}' if self.version else ''}/{self.path}"


@contextmanager
def open_package_file(uri: str, cache: Path) -> Iterator[BinaryIO]:
    """The bytes of a `package://` URI as a stream; wheels are kept below `cache`.

    Raises:
        UsageError: the URI is malformed or hostile.
        DataError: the package, version or file does not exist (similar files are named).
        UnavailableError: the package index cannot be reached.
    """
    wanted = PackageFile.parse(uri)
    installed = _installed(wanted)
    if installed is not None:
        with installed.open("rb") as file:
            yield file
        return
    if wanted.version is None:
        raise DataError(
            f"{wanted.name} is not installed here (or from a folder, without a list of its files), and without a "
            f"version it is not fetched: write package://{wanted.name}@VERSION/{wanted.path}",
            source=uri,
        )
    with tempfile.TemporaryFile() as file:
        _from_wheel(wanted, wanted.version, cache, cast(BinaryIO, file))
        file.seek(0)
        yield cast(BinaryIO, file)


def normal_name(name: str) -> str:
    """The one spelling of a distribution's name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(wanted: PackageFile) -> Path | None:
    """The file in the installed distribution; None when that is absent, unlisted, of another version, or altered."""
    try:
        distribution = metadata.distribution(wanted.name)
        version = distribution.version
    except (metadata.PackageNotFoundError, KeyError):
        return None
    if wanted.version is not None and version != wanted.version:
        return None
    files = {file.as_posix(): file for file in distribution.files or ()}
    if not files or _is_editable(distribution):
        # An editable install (PEP 610) lists a pointer to its folder, and nothing of what lies there.
        return None
    if wanted.path not in files:
        raise _no_such_file(wanted, version, files)
    entry = files[wanted.path]
    path = Path(str(distribution.locate_file(entry)))
    if path.is_file() and _matches(path, entry.hash):
        return path
    if wanted.version is None:
        raise DataError(f"the installed {wanted.name} {version} is damaged: install it again", source=str(wanted))
    return None


def _is_editable(distribution: metadata.Distribution) -> bool:
    """Source: PEP 610, "Specification"."""
    try:
        document = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return isinstance(document, dict) and bool((document.get("dir_info") or {}).get("editable"))


def _matches(path: Path, expected: metadata.FileHash | None) -> bool:
    """Whether the file is what the package's RECORD says; an editable install records no hash."""
    if expected is None:
        return True
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, expected.mode).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == expected.value


def _from_wheel(wanted: PackageFile, version: str, cache: Path, out: BinaryIO) -> None:
    """Write the file's bytes to `out`, an empty file."""
    wheel = cached_wheel(wanted.name, version, cache)
    try:
        return _copy_member(wheel, wanted, version, out)
    except _DAMAGE:
        # The cache may have been damaged since: fetch it once more before giving up.
        discard_wheel(wheel)
    wheel = cached_wheel(wanted.name, version, cache)
    out.seek(0)
    out.truncate()
    try:
        _copy_member(wheel, wanted, version, out)
    except _DAMAGE as error:
        raise DataError(f"the wheel {wheel.name} cannot be read: {error}", source=str(wanted)) from error


def _copy_member(wheel: Path, wanted: PackageFile, version: str, out: BinaryIO) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = {_installed_name(name): name for name in archive.namelist() if not name.endswith("/")}
        if wanted.path not in members:
            raise _no_such_file(wanted, version, members)
        # As a stream: a small wheel may unpack to more than fits into memory.
        with archive.open(members[wanted.path]) as member:
            shutil.copyfileobj(member, out, CHUNK)


def _installed_name(member: str) -> str:
    """Where a wheel's member lies once installed. Source: PEP 427, "The .data directory"."""
    return re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", member)


def _no_such_file(wanted: PackageFile, version: str, files: Iterable[str]) -> DataError:
    names = sorted(file for file in files if ".dist-info/" not in file and not file.endswith((".py", ".pyc", ".pyi")))
    # By the file's own name first: the folders before it are what people guess.
    last = wanted.path.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == last]
    similar = same or difflib.get_close_matches(wanted.path, names, n=3, cutoff=0.4)
    hint = f"; similar: {', '.join(similar[:3])}" if similar else f"; it has {len(names)} data files"
    return DataError(f"{wanted.name} {version} has no file {wanted.path}{hint}", source=str(wanted))
