"""What the command line asks of an orchestrator process: one file, `request.json`, in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferryman.artifacts.evidence import Evidence

FILE = "request.json"


class Container(Evidence):
    """What one step's container is made of."""

    image: str
    """The image's ID."""

    memory: int
    """Bytes beyond which it is killed."""

    cpus: float | None = None
    """Processors that it may keep busy; None for all."""


class RunRequest(Evidence):
    """A run as it was asked for; what a resumed run reads again."""

    schema_version: int = 1
    run: str
    name: str
    """The model's name."""

    origin: str
    """The spec's file, for messages."""

    created: str
    spec: dict[str, Any]
    """The reviewed spec, its inputs pinned."""

    spec_sha256: str
    overrides: dict[str, Any] = {}
    root: str
    """The run root."""

    group: str
    """Folder of the serving group."""

    limits: dict[str, float] = {}
    """Seconds that a step may take, by step name."""

    target: str = ""
    """The target that it runs on, whose limits are read again when it goes on; empty keeps them as they are here."""

    targets: str = ""
    """The targets file; empty for the targets that exist without one."""

    lock: str = ""
    """The lock of the images that its containers are made from."""

    containers: dict[str, Container] = {}
    """Step -> its container; empty where steps are processes of this environment."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.root) / self.run
