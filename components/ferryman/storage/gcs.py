"""Google Cloud Storage behind the port; the only file that knows google-cloud-storage."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from ferryman.errors import UnavailableError, UsageError
from ferryman.storage.uri import MissingFileError, check_name


class GoogleStore:
    """Objects below a prefix of one bucket; `bucket` is a `google.cloud.storage.Bucket`."""

    def __init__(self, bucket: Any, prefix: str = "") -> None:
        self.bucket, self.prefix = bucket, prefix.strip("/")
        self.uri = f"gs://{bucket.name}/{self.prefix}".rstrip("/")

    @classmethod
    def at(cls, uri: str) -> GoogleStore:
        """The store at `gs://BUCKET[/PREFIX]`, with the machine's default credentials.

        Raises:
            UsageError: no bucket in the URI.
            UnavailableError: the library or credentials are missing.
        """
        name, _, prefix = uri.partition("://")[2].partition("/")
        if not name:
            raise UsageError(f"{uri}: received no bucket, expected gs://BUCKET[/PREFIX]")
        try:
            from google.auth.exceptions import DefaultCredentialsError
            from google.cloud import storage
        except ImportError as error:
            raise UnavailableError(
                f"{uri}: google-cloud-storage is not installed; pip install 'ferryman[gcs]'"
            ) from error
        try:
            return cls(storage.Client().bucket(name), prefix)
        except (DefaultCredentialsError, OSError) as error:
            raise UnavailableError(
                f"{uri}: no credentials ({error}); try `gcloud auth application-default login`"
            ) from error

    def open(self, name: str) -> BinaryIO:
        """The object `name` as a stream."""
        blob = self._blob(name)
        with _translated(self.uri, name):
            # The stream asks only when it is read: a missing object is found out here.
            blob.reload()
        return cast(BinaryIO, blob.open("rb"))

    def write(self, name: str, stream: BinaryIO) -> None:
        """Replace the object `name`: an upload appears whole or not at all."""
        with _translated(self.uri, name):
            self._blob(name).upload_from_file(stream)

    def create(self, name: str, stream: BinaryIO) -> bool:
        """Create the object `name`, unless it exists.

        A lost answer is asked again and then finds our own object: False may also mean that it was us.
        """
        from google.api_core.exceptions import PreconditionFailed

        with _translated(self.uri, name):
            try:
                # Generation 0 is "no live object".
                self._blob(name).upload_from_file(stream, if_generation_match=0)
            except PreconditionFailed:
                return False
        return True

    def exists(self, name: str) -> bool:
        """Whether the object `name` exists."""
        with _translated(self.uri, name):
            return bool(self._blob(name).exists())

    def list(self, prefix: str = "") -> list[str]:
        """Names of the objects that start with `prefix`."""
        start = f"{self.prefix}/" if self.prefix else ""
        with _translated(self.uri, prefix):
            blobs = self.bucket.client.list_blobs(self.bucket, prefix=f"{start}{prefix}")
            return sorted(blob.name.removeprefix(start) for blob in blobs if not blob.name.endswith("/"))

    def children(self, folder: str = "") -> builtins.list[str]:
        """Names of objects and folders directly below `folder`."""
        start = self._below(folder)
        with _translated(self.uri, folder):
            blobs = self.bucket.client.list_blobs(self.bucket, prefix=start, delimiter="/")
            # The folders come with the pages of objects: they are complete when those have been read.
            names = [blob.name for blob in blobs] + list(blobs.prefixes)
        return sorted({name.removeprefix(start).rstrip("/") for name in names} - {""})

    def holds(self, folder: str) -> bool:
        """Whether an object lies below `folder`."""
        with _translated(self.uri, folder):
            return any(self.bucket.client.list_blobs(self.bucket, prefix=self._below(folder), max_results=1))

    def _below(self, folder: str) -> str:
        parts = [part for part in (self.prefix, check_name(folder) if folder else "") if part]
        return "/".join(parts) + "/" if parts else ""

    def _blob(self, name: str) -> Any:
        return self.bucket.blob("/".join(part for part in (self.prefix, check_name(name)) if part))


@contextmanager
def _translated(uri: str, name: str) -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except NotFound as error:
        raise MissingFileError(uri, name) from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise UnavailableError(f"{uri}/{name}: {' '.join(str(error).split())}") from error
