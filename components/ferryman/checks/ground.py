"""What the checks stand on: what was asked, and what the stages before have found out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ferryman.artifacts.evidence import Evidence
from ferryman.data.examples import Examples
from ferryman.metrics.power import Rivals

if TYPE_CHECKING:
    from ferryman.checks.scan import Scanned
    from ferryman.serving.server import ServerProcess
    from ferryman.spec import Spec
    from ferryman.spec.spec import Data
    from ferryman.steps.prepare.rows import Reading
    from ferryman.steps.prepare.sides import Divided
    from ferryman.steps.train.train import Training


T = TypeVar("T")


class Request(Evidence):
    """What is to be checked; written for the process that does it."""

    spec: str
    """Path of the spec."""

    overrides: dict[str, Any] = {}
    home: str
    """Folder of all local state; only the cache of packages is written to."""

    group: str
    """Folder of the serving group that a run would release to."""

    scan_seconds: float = 15.0
    """How long rows are read at most; a larger file is then seen in parts. It leaves the rest of a minute to the model."""


@dataclass
class Ground:
    """Everything that is known so far; a stage whose needs are still None is skipped."""

    request: Request
    work: Path
    """A folder for whatever a stage writes; removed at the end."""

    headline: str = ""
    """What the stage at work tells people in one line."""

    spec: Spec | None = None
    data: Data | None = None
    """The block `data`, also where the rest of the spec is wrong."""

    code: bool | None = None
    """True once the user's own package, if there is one, can be imported."""

    scan: Scanned | None = None
    divided: Divided | None = None
    """Which row falls on which side; only where there are rows on each."""

    champion_scores: dict[str, float] = field(default_factory=dict)
    """What the champion reached on the test side of its own run, by metric."""

    rivals: Rivals | None = None
    """How two good models differ, where two were ever compared."""

    examples: Examples | None = None
    """A sample of the rows, split."""

    server: ServerProcess | None = None
    """Starts beside the training: its import of TensorFlow takes as long as ours."""

    training: Training | None = None
    model: Path | None = None
    """The artifact's folder, as the step train would leave it."""

    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage took, by its name."""

    exits: ExitStack = field(default_factory=ExitStack)
    """What must be undone once all checks have ended."""

    @property
    def reading(self) -> Reading:
        """How the data block says to read."""
        from ferryman.steps.prepare.rows import Reading

        data = given(self.data)
        return Reading(data.format, data.features, data.label, data.split)


def given(part: T | None) -> T:
    """A part of the ground that the stage's `needs` promise."""
    if part is None:
        raise AssertionError("a stage uses what it does not name in its needs")
    return part
