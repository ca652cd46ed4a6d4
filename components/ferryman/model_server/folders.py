"""Where versions lie: folders of this machine, loaded where they are, and `gs://`, downloaded for as long as it is loaded."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import tempfile
import threading
from pathlib import Path

from ferryman.errors import FerrymanError
from ferryman.model_server.core import FAILED_PRECONDITION, NOT_FOUND, UNAVAILABLE, Refusal
from ferryman.storage.local import CHUNK
from ferryman.storage.store import Store, open_store
from ferryman.storage.uri import is_inside, local_path, scheme_of

CLOUD = "gs"


class Folders:
    """Base paths and versions by path or URI; what is downloaded goes below one private folder."""

    def __init__(self) -> None:
        self._cache: Path | None = None
        self._buckets: dict[str, Store] = {}
        self._lock = threading.Lock()

    def exists(self, path: str) -> bool:
        """Whether something lies at `path`.

        Raises:
            OSError: when that cannot be told.
        """
        if scheme_of(path) != CLOUD:
            return os.access(_local(path), os.F_OK)
        store, name = self._bucket(path)
        with _as_os_error(path):
            return store.holds(name) if name else bool(store.children())

    def children(self, path: str) -> list[str]:
        """Names directly below `path`.

        Raises:
            OSError: when it cannot be listed.
        """
        if scheme_of(path) != CLOUD:
            return os.listdir(_local(path))
        store, name = self._bucket(path)
        with _as_os_error(path):
            return store.children(name)

    def fetch(self, path: str) -> Path:
        """A local folder with the files of a version; one of `gs://` is downloaded anew at every call.

        Raises:
            Refusal: nothing lies there, it cannot be reached, or a name would lead out of the folder.
            OSError: it cannot be written here.
        """
        if scheme_of(path) != CLOUD:
            return _local(path)
        store, name = self._bucket(path)
        folder = Path(tempfile.mkdtemp(dir=self._private()))
        try:
            _download(store, name, folder, path)
        except FerrymanError as error:
            self.release(folder)
            raise Refusal(UNAVAILABLE, f"{path} cannot be downloaded: {error}") from error
        except BaseException:
            self.release(folder)
            raise
        return folder

    def walk(self, path: str) -> None:
        """Nothing, when all folders of a version can be listed; what lies in a bucket is not looked through.

        Raises:
            OSError: naming the first that cannot be.
        """
        if scheme_of(path) == CLOUD:
            return
        if not self.exists(path):
            raise FileNotFoundError(errno.ENOENT, f"{path} not found")
        for _ in os.walk(_local(path), onerror=_again):
            pass

    def release(self, folder: Path) -> None:
        """Free what `fetch` gave; a folder that was not downloaded stays."""
        if self._cache and folder.parent == self._cache:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Free all that was downloaded; a download that still runs ends with an OSError and leaves nothing behind."""
        if self._cache:
            gone = self._cache.with_name(f"{self._cache.name}-gone")
            with contextlib.suppress(OSError):
                self._cache.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _private(self) -> Path:
        with self._lock:
            if self._cache is None:
                # Readable by this user alone.
                self._cache = Path(tempfile.mkdtemp(prefix="ferryman-models-"))
                # Also for those who forget: copies of models would fill the disk, restart by restart.
                atexit.register(self.close)
            return self._cache

    def _bucket(self, path: str) -> tuple[Store, str]:
        """The store of the bucket, opened once, and the name in it."""
        bucket, _, name = path.partition("://")[2].partition("/")
        with self._lock:
            if bucket not in self._buckets:
                with _as_os_error(path):
                    self._buckets[bucket] = open_store(f"{CLOUD}://{bucket}")
            return self._buckets[bucket], name.strip("/")


def _again(error: OSError) -> None:
    raise error


def _local(path: str) -> Path:
    scheme = scheme_of(path)
    if scheme not in ("", "file"):
        raise OSError(f"UNIMPLEMENTED: File system scheme '{scheme}' not implemented (file: '{path}')")
    with _as_os_error(path):
        local = local_path(path)
    if "\0" in str(local):
        # Python's calls raise ValueError, and C's would take another path.
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return local


def _download(store: Store, name: str, folder: Path, path: str) -> None:
    """Copy all below `name` into `folder`; nothing is written before every name was looked at."""
    files = {file: file.removeprefix(f"{name}/") for file in store.list(f"{name}/")}
    for file, inside in files.items():
        if not is_inside(inside):
            raise Refusal(
                FAILED_PRECONDITION, f"{path} holds the name {file!r}, which leads out of the version's folder"
            )
    if not files:
        raise Refusal(NOT_FOUND, f"{path} not found")
    for file, inside in files.items():
        *parents, last = inside.split("/")
        place = folder
        for parent in parents:
            place /= parent
            # One by one: `folder` itself must not come back when it was freed meanwhile.
            place.mkdir(exist_ok=True)
        with store.open(file) as stream, (place / last).open("xb") as copy:
            shutil.copyfileobj(stream, copy, CHUNK)


class _as_os_error:
    """Errors of the storage port as the operating system's: discovery tells them all alike."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FerrymanError):
            raise OSError(f"UNAVAILABLE: {self._path}: {error}") from error
