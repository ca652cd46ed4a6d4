"""A folder as one archive: the same files give the same bytes, and unpacking writes nowhere but into its folder.

The archive is a tar file of regular files alone: sorted names, time 0, mode 0644, no owner. So its digest tells the
content of the folder, and nothing of who packed it, when, or where.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

from ferryman.errors import DataError
from ferryman.storage.local import CHUNK
from ferryman.storage.store import LocalStore, Store
from ferryman.storage.uri import is_inside

MAX_BYTES: Final = 4 << 30
"""Bytes of all files together (4 GiB): every run copies them several times, and one machine's memory must hold them."""

MAX_FILES: Final = 10_000
"""No model has nearly as many; a folder with more is another one than was meant."""


def files_below(folder: Path) -> list[str]:
    """The names of all files below `folder`, sorted, as relative POSIX paths.

    Raises:
        DataError: a link, a device or a pipe lies there (what it leads to is not part of the folder), or too many files.
    """
    names = []
    for name, entry in _walk(folder, ""):
        if entry.is_symlink():
            raise DataError(
                f"{name} is a link, expected files alone: copy what it leads to in its place", source=str(folder)
            )
        if not entry.is_file():
            raise DataError(f"{name} is a device or a pipe, expected files alone", source=str(folder))
        names.append(name)
        if len(names) > MAX_FILES:
            raise DataError(
                f"received more than {MAX_FILES:,} files: is it the folder that was meant?", source=str(folder)
            )
    return sorted(names)


def pack(store: Store, names: Iterable[str], out: BinaryIO, limit: int = MAX_BYTES) -> None:
    """Write the files `names` of `store` to `out` as one archive.

    Raises:
        DataError: they are larger than `limit` bytes together.
    """
    total = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(names):
            size, stream = _sized(store, name)
            total += size
            if total > limit:
                raise DataError(
                    f"its files have more than {limit:,} bytes together: nothing that large is packed", source=store.uri
                )
            with stream:
                archive.addfile(_entry(name, size), stream)


def unpack(stream: BinaryIO, folder: Path, limit: int = MAX_BYTES) -> None:
    """Write the files of an archive below `folder`, which is created.

    Raises:
        DataError: it is no archive, or a hostile one: a link, a device, a path that leads out, a name twice, or more
            than `limit` bytes.
    """
    folder.mkdir(parents=True)
    total = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for number, entry in enumerate(archive):
                total += entry.size
                _check(entry, number, total, limit)
                content = archive.extractfile(entry)
                if content is not None:  # it is, of a regular file; the type checker wants it said
                    _write(folder / entry.name, content)
    except tarfile.TarError as error:
        raise DataError(f"not an archive of a folder: {error}") from error


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder / prefix) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{name}/")
            else:
                yield name, entry


def _sized(store: Store, name: str) -> tuple[int, BinaryIO]:
    """Size and bytes of a file; a tar entry starts with its size, which a remote stream does not tell."""
    stream = store.open(name)
    if isinstance(store, LocalStore):
        return os.fstat(stream.fileno()).st_size, stream
    with stream:
        content = stream.read()
    return len(content), io.BytesIO(content)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, 0, 0o644
    return entry


def _check(entry: tarfile.TarInfo, number: int, total: int, limit: int) -> None:
    if not entry.isreg():
        raise DataError(f"its archive holds {entry.name!r}, which is no plain file: nothing of the kind is unpacked")
    if not is_inside(entry.name):
        raise DataError(f"its archive holds {entry.name!r}, which leads out of its folder: it is not unpacked")
    if number >= MAX_FILES or total > limit:
        raise DataError(f"its archive holds more than {MAX_FILES:,} files or {limit:,} bytes: it is not unpacked")


def _write(path: Path, content: IO[bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            shutil.copyfileobj(content, file, CHUNK)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"its archive holds {path.name!r} twice: it is not unpacked") from error
