"""Manifests: what makes a folder an artifact that cannot be torn or altered unnoticed.

`manifest.json` is written last and lists every file with its size and SHA-256; an artifact's digest is the SHA-256 of
the manifest's own bytes, so one short string binds evidence to every byte of what it judged.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferryman.errors import ArtifactError

NAME = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A verified manifest; `files` by POSIX path relative to the artifact's folder."""

    digest: str
    kind: str
    producer: str
    files: dict[str, FileEntry]


def seal(folder: Path, kind: str, producer: str) -> str:
    """Write the manifest of everything below `folder`, last and atomically; returns the artifact's digest.

    Raises:
        ArtifactError: a link or special file lies in the folder (a reader elsewhere could not follow it).
    """
    files = {name: _entry(folder / name) for name in _walk(folder)}
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "producer": producer,
        "files": {name: {"size": entry.size, "sha256": entry.sha256} for name, entry in sorted(files.items())},
    }
    content = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    partial = folder / f".{NAME}.partial"
    partial.write_bytes(content)
    os.replace(partial, folder / NAME)
    return hashlib.sha256(content).hexdigest()


def verify(folder: Path, kind: str) -> Manifest:
    """The manifest of the artifact in `folder`, after every file was found whole.

    Raises:
        ArtifactError: no manifest, another kind or schema; a file missing, altered or not listed (it names the file).
    """
    manifest = read(folder, kind)
    present = set(_walk(folder))
    for name, entry in manifest.files.items():
        if name not in present:
            raise ArtifactError(f"{folder}: {name} is missing; its manifest lists it (make the artifact again)", name)
        if _entry(folder / name) != entry:
            raise ArtifactError(
                f"{folder}: {name} is not what its manifest says: altered or torn (make it again)", name
            )
    unlisted = sorted(present - manifest.files.keys())
    if unlisted:
        raise ArtifactError(
            f"{folder}: {unlisted[0]} is not in its manifest: somebody added it (make it again)", unlisted[0]
        )
    return manifest


def read(folder: Path, kind: str) -> Manifest:
    """The manifest as written, without looking at the files; ArtifactError when it is missing or of another kind."""
    path = folder / NAME
    try:
        content = path.read_bytes()
        document: dict[str, Any] = json.loads(content)
        version, found = document["schema_version"], document["kind"]
        files = {
            _safe(name): FileEntry(int(entry["size"]), str(entry["sha256"]))
            for name, entry in document["files"].items()
        }
        producer = str(document["producer"])
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder}: no {NAME}: the artifact was never finished (run its step again)", NAME
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a readable manifest: {error}", NAME) from error
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path}: schema {version!r}; this ferryman reads {SCHEMA_VERSION}: a newer one is needed", NAME
        )
    if found != kind:
        raise ArtifactError(f"{path}: received an artifact of kind {found!r}, expected {kind!r}", NAME)
    return Manifest(hashlib.sha256(content).hexdigest(), kind, producer, files)


def digest_of(folder: Path) -> str:
    """SHA-256 of the manifest's bytes; ArtifactError when there is none."""
    try:
        return hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    except OSError as error:
        raise ArtifactError(f"{folder}: no {NAME}: the artifact was never finished", NAME) from error


def _walk(folder: Path) -> list[str]:
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ArtifactError(f"{folder}: {name} is a link; an artifact holds files only", name)
        if path.is_dir():
            continue
        if not path.is_file():
            raise ArtifactError(f"{folder}: {name} is no regular file; an artifact holds files only", name)
        if name != NAME:
            names.append(name)
    return names


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _safe(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name!r} leads out of the artifact")
    return name
