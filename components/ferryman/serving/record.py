"""The group record: the one document that says what a server group holds, and in which direction it moves.

It is never derived from what happens to exist. (epoch, generation) is its fence: every write raises the generation, a
record that was lost and adopted again has a higher epoch. What each server must hold, and what it may answer
meanwhile, are functions of the record and not stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from ferryman.artifacts.evidence import Evidence
from ferryman.artifacts.resolved import Serving
from ferryman.errors import ArtifactError, UnavailableError

FILE = "record.json"
SCHEMA_VERSION = 1

Phase = Literal["idle", "probe", "load", "roll0", "roll1", "switch", "soak", "finish", "back", "revert"]

BEFORE_COMMIT: frozenset[Phase] = frozenset({"probe", "load", "roll0", "roll1"})
"""Phases in which the candidate is not stable yet: everything bad goes back."""

Terminal = Literal["Promoted", "Refused", "RolledBack", "Superseded", "Conflict"]


class Released(Evidence):
    """One version of a model: its number, and what it is."""

    number: int = Field(ge=1)
    digest: str
    """Of the model artifact that it was copied from."""

    content: str
    release: str
    """The release that brought it."""


class Ended(Evidence):
    """How a release ended; written once."""

    state: Terminal
    why: str = ""
    version: int | None = None
    """The number that it had, if it came that far."""


class ModelPart(Evidence):
    """One model of the group."""

    generation: int = 0
    """Of the last change of this part; reports count only with it."""

    phase: Phase = "idle"
    stable: Released | None = None
    previous: Released | None = None
    candidate: Released | None = None
    release: str = ""
    """The release in progress."""

    rollback: str = ""
    """The rollback in progress."""

    ending: Ended | None = None
    """How the release in progress will end once everything has gone back."""

    since: str = ""
    """When the phase began, ISO 8601 UTC."""

    claimed: int = 0
    """The largest number ever given to a version; numbers are never used again."""

    tombstones: list[int] = []
    """Versions that must leave the servers: nothing leaves without one."""

    refused: list[str] = []
    """Contents that a person rolled back."""

    ended: dict[str, Ended] = {}


class GroupRecord(Evidence):
    """`record.json` of a group."""

    schema_version: Literal[1] = 1
    epoch: int = Field(default=1, ge=1)
    generation: int = Field(default=1, ge=1)
    replicas: list[str]
    """Who must report ok; the first one goes first."""

    clients: Literal["any", "labelled"] = "any"
    models: dict[str, ModelPart] = {}

    @property
    def fence(self) -> tuple[int, int]:
        """Greater is newer."""
        return self.epoch, self.generation


@dataclass(frozen=True)
class Targets:
    """What one server must hold of one model."""

    wanted: frozenset[int]
    """Versions to be loaded."""

    required: frozenset[int]
    """Those of them that must be available and proven before the server may say ok."""

    label: int | None
    """Where `stable` points; None before the first commit. Tried again, not given up, when it fails to load."""

    tombstones: frozenset[int]
    """Versions that must leave."""


def targets(part: ModelPart, first: bool) -> Targets:
    """What a server must hold; `first` is the replica that goes first."""
    stable = {part.stable.number} if part.stable else set()
    candidate = {part.candidate.number} if part.candidate else set()
    with_candidate = part.phase in {"load", "roll1"} or (part.phase == "roll0" and first)
    required = stable | candidate if with_candidate else stable
    wanted = set(required)
    if part.phase in {"switch", "soak"} and part.previous:
        # The way back stays loaded, but its absence blocks nothing.
        wanted.add(part.previous.number)
    return Targets(
        wanted=frozenset(wanted),
        required=frozenset(required),
        label=part.stable.number if part.stable else None,
        tombstones=frozenset(part.tombstones) - wanted,
    )


def allowed_answers(part: ModelPart, clients: str) -> tuple[frozenset[int], frozenset[int]]:
    """Versions that may answer a request with the label `stable`, and one without a label (`clients: any`).

    Nothing acts on it: it is what the rules promise to clients, and what the tests hold them to.
    """
    stable = {part.stable.number} if part.stable else set()
    previous = {part.previous.number} if part.previous else set()
    candidate = {part.candidate.number} if part.candidate else set()
    both = frozenset(stable | previous)
    if part.phase in {"switch", "revert"}:
        return both, both
    if part.phase in {"roll0", "roll1", "back"} and clients == "any":
        return frozenset(stable), frozenset(stable | candidate)
    return frozenset(stable), frozenset(stable)


def read_group(folder: Path) -> GroupRecord | None:
    """The record in a group's folder; None when there is none.

    Raises:
        ArtifactError: the file is there and is no record.
        UnavailableError: a newer ferryman wrote it.
    """
    path = folder / FILE
    try:
        return parse_record(path.read_bytes(), path)
    except FileNotFoundError:
        return None


def parse_record(content: bytes, path: Path) -> GroupRecord:
    """The record in the bytes of `path`; errors as `read_group`."""
    try:
        document = json.loads(content)
        version = document.get("schema_version") if isinstance(document, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            # Not garbage: putting it aside and adopting an older copy would undo what the newer one did.
            raise UnavailableError(
                f"{path}: schema {version}; this ferryman reads {SCHEMA_VERSION}: use the newer one that wrote it"
            )
        return GroupRecord.model_validate_json(content)
    except ValueError as error:
        raise ArtifactError(f"{path}: not a readable group record: {error}", str(path)) from error


def known_group(folder: Path) -> GroupRecord | None:
    """The record in a group's folder; None where there never was one.

    Raises:
        UnavailableError: the record is lost or torn: a server may hold a version that nothing here knows of.
    """
    advice = "start `ferryman serve`, which adopts it again from what its agents obeyed last, then try again"
    try:
        record = read_group(folder)
    except ArtifactError as error:
        raise UnavailableError(f"the record of the group {folder} is torn: {advice}") from error
    if record is None and any(parse_or_none(copy) is not None for copy in folder.glob(f"agents/*/{FILE}")):
        raise UnavailableError(f"the record of the group {folder} is lost: {advice}")
    return record


def serving_now(folder: Path, model: str) -> Serving | None:
    """What the group's record calls stable of `model`, whether a server runs or not; None before its first release.

    Raises:
        UnavailableError: the record is lost or torn.
    """
    record = known_group(folder)
    part = record.models.get(model) if record else None
    if record is None or part is None or part.stable is None:
        return None
    return Serving(
        model=model,
        version=part.stable.number,
        digest=part.stable.digest,
        content=part.stable.content,
        epoch=record.epoch,
        generation=record.generation,
        path=str(version_folder(folder, model, part.stable.number)),
        refused=part.refused,
    )


def version_folder(folder: Path, model: str, number: int) -> Path:
    """Where a version's files lie in the serving store of a group."""
    return folder / "store" / model / str(number)


def parse_or_none(path: Path) -> GroupRecord | None:
    """A copy of a record, or None when it is missing or torn."""
    try:
        return parse_record(path.read_bytes(), path)
    except (FileNotFoundError, ArtifactError):
        return None


Attitude = Literal["absent", "older", "obey"]


def attitude(record: GroupRecord | None, obeyed: GroupRecord | None, promised: int) -> Attitude:
    """What an agent does with the record that it reads, after it obeyed `obeyed` and promised the epoch `promised`.

    Absent: nothing is there; it promises to refuse the old epoch. Older: obeying it could bring back what was dropped.
    """
    if record is None:
        return "absent"
    if record.epoch < promised or (obeyed is not None and record.fence < obeyed.fence):
        return "older"
    return "obey"
