"""Releases: what runs and people ask of a group, as immutable documents that are created once.

`releases/NAME.json` asks, `releases/NAME.end.json` mirrors how it ended (the record says it first), and
`requests/abort-NAME.json` asks to give it up before its commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import Ended
from ferryman.storage.local import atomic_write, create_only

ReleaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,190}$")]
"""It is a file's name too, and leads nowhere else."""


class Release(Evidence):
    """One wish: a new version, or the way back."""

    schema_version: Literal[1] = 1
    name: ReleaseName
    """`<run id>-<attempt>` of a run's release; `rollback-...` of a person's."""

    kind: Literal["release", "rollback"] = "release"
    model: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    created: str
    """ISO 8601 UTC; the newer of two counts."""

    artifact: str = ""
    """The folder of the model artifact."""

    digest: str = ""
    content: str = ""
    conversion: str = ""
    serving_check: str = ""
    """Digests of the evidence."""

    champion_version: int | None = None
    champion_digest: str | None = None
    """What must still serve: the version that the candidate was compared with; None when nothing served."""

    absolute: float = 1e-5
    relative: float = 1e-4
    """Tolerance of the golden set."""

    leaves: int | None = None
    """Rollback: the version that it leaves, so that repeating it does not toggle."""

    reason: str = ""
    """Why a person asks for it: of every rollback, and of a release whose content was rolled back before."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.name.endswith(".end"):
            raise ValueError("a release's name cannot end with .end: that is where its end is told")
        if self.kind == "rollback" and self.leaves is None:
            raise ValueError("a rollback names the version that it leaves")
        if self.kind == "release" and not (self.artifact and self.digest and self.content):
            raise ValueError("a release names its artifact, digest and content")
        return self


class Abort(Evidence):
    """Give a release up before its commit."""

    schema_version: Literal[1] = 1
    release: ReleaseName
    reason: str


def create_release(folder: Path, release: Release) -> bool:
    """Ask the group in `folder`; False when this very release was asked for before.

    Raises:
        ConflictError: another document has this name.
    """
    path = folder / "releases" / f"{release.name}.json"
    if create_only(path, f"{release.model_dump_json(indent=1)}\n".encode()):
        return True
    if Release.read(path).model_dump(exclude={"created"}) != release.model_dump(exclude={"created"}):
        raise ConflictError(f"{path}: another release has this name already; start a new run")
    return False


def request_abort(folder: Path, release: str, reason: str) -> None:
    """Ask to give `release` up; after its commit, or once asked already, it changes nothing."""
    document = Abort(release=release, reason=reason)
    create_only(folder / "requests" / f"abort-{release}.json", f"{document.model_dump_json(indent=1)}\n".encode())


def read_releases(folder: Path) -> list[Release]:
    """All releases of a group, oldest first; a document that is no release is passed over."""
    found = []
    for path in (folder / "releases").glob("*.json"):
        if path.name.endswith(".end.json") or path.name.startswith("."):
            continue
        try:
            release = Release.read(path)
        except ArtifactError:
            continue
        if release.name == path.stem:
            found.append(release)
    return sorted(found, key=lambda release: (release.created, release.name))


def read_aborts(folder: Path) -> dict[str, str]:
    """Release name -> reason, of all aborts asked for."""
    aborts = {}
    for path in (folder / "requests").glob("abort-*.json"):
        try:
            abort = Abort.read(path)
        except ArtifactError:
            continue
        aborts[abort.release] = abort.reason
    return aborts


def read_ends(folder: Path) -> dict[str, dict[str, Ended]]:
    """Model -> release -> how it ended, of all ends that were told; a torn one tells nothing."""
    ends: dict[str, dict[str, Ended]] = {}
    for release in read_releases(folder):
        try:
            end = read_end(folder, release.name)
        except ArtifactError:
            continue
        if end:
            ends.setdefault(release.model, {})[release.name] = end
    return ends


def write_end(folder: Path, release: str, end: Ended) -> None:
    """Mirror how a release ended; once. What lies there and is no end is replaced: nobody can have read it."""
    path, content = folder / "releases" / f"{release}.end.json", f"{end.model_dump_json(indent=1)}\n".encode()
    try:
        if read_end(folder, release) is None:
            create_only(path, content)
    except ArtifactError:
        atomic_write(path, content)


def read_end(folder: Path, release: str) -> Ended | None:
    """How a release ended, or None while it has not."""
    path = folder / "releases" / f"{release}.end.json"
    return Ended.read(path) if path.exists() else None
