"""What an agent says: read-only documents beside its server, for the controller and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import ArtifactError
from ferryman.serving.record import GroupRecord


class ModelReport(Evidence):
    """What an agent says of one model; it counts only with the record's own epoch and generation."""

    generation: int
    state: Literal["working", "ok", "bad"]
    why: str = ""
    bad: int | None = None
    """The version that is bad."""

    serves: int | None = None
    """Where the label `stable` points at this server."""


class Report(Evidence):
    """`agents/REPLICA/report.json`."""

    schema_version: Literal[1] = 1
    replica: str
    epoch: int
    generation: int = 0
    """With `epoch`: the newest record that this agent has obeyed, or the epoch that it has promised."""

    models: dict[str, ModelReport] = {}
    absent: bool = False
    """No record was found: this agent has promised, on its disk, to refuse anything older than `epoch`."""

    copy_of: GroupRecord | None = None
    """With `absent`: the last record that was obeyed."""

    holds: dict[str, int] = {}
    """With `absent`: model -> the version that its start-up file names."""


class Promise(Evidence):
    """`promise.json`: no record of an older epoch is obeyed, also after a restart."""

    epoch: int


def parse_report(path: Path) -> Report | None:
    """A report, or None when it is missing or torn."""
    try:
        return Report.read(path)
    except ArtifactError:
        return None
