"""The user's package in the input store: one archive by content, unpacked by the steps that run it.

The archive is a zip without compression (deflate differs between versions of zlib): equal files give equal bytes on
every machine, and so one digest.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from ferryman.code.loading import check_package_name, imported
from ferryman.code.requirements import check_requirements
from ferryman.errors import ArtifactError, UsageError
from ferryman.storage.inputs import PinnedSource, keep, open_pinned
from ferryman.storage.local import CHUNK, partial_beside
from ferryman.storage.uri import is_inside

MAX_BYTES: Final = 20_000_000
"""Largest package: code and small tables. Data beyond that belong to `data.source`, weights to a saved model."""

LOCK: Final = "requirements.lock"
"""Where the lock file lies in the archive, beside the package."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class PinnedCode(BaseModel):
    """The user's package, fixed before the DAG starts: its name, where its archive lies, and its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    package: str
    """The name by which it is imported."""

    uri: str
    """Where the archive lies in the input store."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the archive."""


def pin_code(folder: Path, requirements: Path | None, home: Path) -> PinnedCode:
    """Pack the package in `folder` into the input store of `home`; the same files give the same, whatever their times.

    Raises:
        UsageError: no such folder, a name that cannot be imported or is taken, a link, too many bytes; or the
            environment is not what the lock file `requirements` says.
    """
    uri, digest = keep(io.BytesIO(packed(folder, requirements)), home)
    return PinnedCode(package=folder.absolute().name, uri=uri, sha256=digest)


def packed(folder: Path, requirements: Path | None) -> bytes:
    """The archive of the package in `folder`. Raises as `pin_code` does."""
    package = folder.absolute().name
    if not folder.is_dir():
        raise UsageError(
            f"code.path: {folder.absolute()} is {_what(folder)}, expected the folder of a Python package "
            "(paths start at the spec's folder)"
        )
    check_package_name(package)
    files = {f"{package}/{name}": path for name, path in _files(folder).items()}
    if not any(name.endswith(".py") for name in files):
        raise UsageError(f"code.path: {folder} holds no Python file, expected a package")
    if requirements is not None:
        check_requirements(_read_lock(requirements), str(requirements))
        files[LOCK] = requirements
    return _pack(files)


@contextmanager
def pinned_code(code: PinnedCode, work: Path) -> Iterator[None]:
    """In this block the pinned package can be imported, from a copy below `work` that was verified.

    Raises:
        ArtifactError: the archive is missing, altered, or not one of ours.
        UsageError: the environment is not what its lock file says.
    """
    folder = unpack(code, work)
    if (folder / LOCK).is_file():
        check_requirements((folder / LOCK).read_text(encoding="utf-8"), LOCK)
    with imported(folder, code.package):
        yield


def unpack(code: PinnedCode, work: Path) -> Path:
    """`work/DIGEST`, which holds the package; made once, whole or not at all.

    Raises:
        ArtifactError: the archive is missing, altered, or holds what we would never pack.
    """
    folder = work / code.sha256
    if folder.is_dir():
        return folder
    source = PinnedSource(name=f"the package {code.package}", uri=code.uri, sha256=code.sha256)
    partial = partial_beside(folder)
    try:
        with open_pinned(source) as stream:
            _extract(stream.read(MAX_BYTES * 2), code, partial)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _files(folder: Path) -> dict[str, Path]:
    """POSIX path inside the package -> file, sorted; without caches and hidden files."""
    found, size = {}, 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part == "__pycache__" or part.startswith(".") for part in name.split("/")) or path.suffix == ".pyc":
            continue
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            continue
        if not stat.S_ISREG(kind) or not is_inside(name):
            raise UsageError(f"code.path: {path} is {_what(path)}, expected plain files only: copy what it stands for")
        size += path.stat().st_size
        if size > MAX_BYTES:
            raise UsageError(
                f"code.path: {folder} holds more than {MAX_BYTES // 1_000_000} MB (up to {name}), expected code: "
                "move data out of it"
            )
        found[name] = path
    return found


def _pack(files: dict[str, Path]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name].read_bytes())
    return packed.getvalue()


def _extract(content: bytes, code: PinnedCode, folder: Path) -> None:
    """Write the archive's files below `folder`, which is created; nothing is written for an archive not of ours."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            foreign = next((entry.filename for entry in entries if not _ours(entry, code.package)), None)
            if foreign is not None or sum(entry.file_size for entry in entries) > MAX_BYTES * 2:
                raise ArtifactError(f"{code.uri}: not a package of ours: {foreign or 'too large'}", code.uri)
            for entry in entries:
                path = folder / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, path.open("xb") as file:
                    shutil.copyfileobj(packed, file, CHUNK)
    except (zipfile.BadZipFile, OSError) as error:
        raise ArtifactError(f"{code.uri}: cannot be unpacked: {error}", code.uri) from error


def _ours(entry: zipfile.ZipInfo, package: str) -> bool:
    name = entry.filename
    inside = is_inside(name) and (name == LOCK or name.startswith(f"{package}/"))
    return inside and stat.S_ISREG(entry.external_attr >> 16) and entry.compress_type == zipfile.ZIP_STORED


def _read_lock(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"code.requirements: {path} cannot be read: {error}") from error


def _what(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    if path.is_file():
        return "a file"
    return "no plain file" if path.exists() else "not there"
