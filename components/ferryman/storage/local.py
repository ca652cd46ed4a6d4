"""Local files, written so that a reader sees the old bytes or the new ones and nothing between."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ferryman.errors import UnavailableError

CHUNK: Final = 1 << 20
"""Bytes read at a time: whole files would not fit in memory."""


def atomic_write(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; the bytes are on the disk before the name points to them."""
    replace_from(path, io.BytesIO(content))


def create_only(path: Path, content: bytes) -> bool:
    """Create `path` with `content`; False, and nothing changed, when it exists already."""
    return create_from(path, io.BytesIO(content))


def replace_from(path: Path, stream: BinaryIO) -> None:
    """Like `atomic_write`, with the rest of a stream."""
    with _partial(path, stream) as partial:
        os.replace(partial, path)
    sync_folder(path.parent)


def create_from(path: Path, stream: BinaryIO) -> bool:
    """Like `create_only`, with the rest of a stream."""
    with _partial(path, stream) as partial:
        created = link_new(partial, path)
    sync_folder(path.parent)
    return created


def link_new(existing: Path, path: Path) -> bool:
    """Give the file `existing` the second name `path`; False when that name is taken.

    Raises:
        UnavailableError: the file system knows no hard links.
    """
    try:
        # A hard link fails when the name exists: the only local call that is both atomic and create-only.
        os.link(existing, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV):
            raise
        raise UnavailableError(
            f"{path}: the file system refuses hard links ({error.strerror}), which create-only files need: "
            "put FERRYMAN_HOME on another one"
        ) from error
    return True


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return sha256_stream(file)


def sha256_stream(stream: BinaryIO) -> str:
    """SHA-256 of the rest of a stream, in hex."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and those above it that are missing, each so that its name outlives a power cut."""
    missing = [folder, *folder.parents]
    missing = missing[: next((at for at, path in enumerate(missing) if path.is_dir()), len(missing))]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def partial_beside(path: Path) -> Path:
    """A new name in the folder of `path` (so that renaming is atomic) that no listing takes for a file of ours."""
    # Not the name itself: with the suffix it could exceed the 255 bytes of a file name.
    return path.with_name(f".{uuid.uuid4().hex}.partial")


@contextlib.contextmanager
def _partial(path: Path, stream: BinaryIO) -> Iterator[Path]:
    make_folder(path.parent)
    partial = partial_beside(path)
    try:
        with partial.open("xb") as file:
            shutil.copyfileobj(stream, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        yield partial
    finally:
        # Also after a full disk: no partial file stays behind.
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
