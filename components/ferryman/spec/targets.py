"""The targets file: what depends on the place where a pipeline runs. `local` and `docker` exist without one.

targets: 1
local:
  steps: {train: {limit: 2h}}
night:
  kind: local
  group: nightly
prod:
  kind: kubeflow
  ...
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, RootModel

from ferryman.errors import SpecError, UsageError
from ferryman.problems import nearest, validate
from ferryman.spec.blocks import Block
from ferryman.spec.cluster import ClusterTarget
from ferryman.spec.reading import read_document
from ferryman.spec.step_names import StepName
from ferryman.spec.units import BYTES, Duration, Memory

FORMAT: Final = 1
"""The number of the targets file's format that this version reads."""

BUILT_IN: Final = ("local", "docker")
"""Targets that exist without a file, each of the kind that is its name."""

GroupName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
TargetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class StepOptions(Block):
    """What one step may use."""

    limit: Duration = 6 * 3600.0
    """How long it may take, e.g. `4h`. Six hours: a machine left overnight must not hang for ever."""


MEMORY: Final[dict[str, int]] = {
    step: round(size * BYTES["Gi"])
    for step, size in {
        "prepare": 2.0,
        "train": 6.0,
        "evaluate": 4.0,
        "convert": 6.0,
        "serving_check": 4.0,
    }.items()
}
"""Bytes that a step's container may use unless the target says otherwise; other steps decide and write, in 512Mi."""


class ContainerOptions(StepOptions):
    """What one step's container may use."""

    memory: Memory | None = None
    """Memory beyond which it is killed, e.g. `4Gi`. By default 6Gi for train and convert, 4Gi for evaluate and
    serving_check, 2Gi for prepare and 512Mi for the others."""

    cpus: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Processors that it may keep busy, e.g. 1.5. By default all of the machine's."""


class LocalTarget(Block):
    """Steps are processes of this environment."""

    kind: Literal["local"]

    group: GroupName = "local"
    """The serving group that runs release to."""

    steps: dict[StepName, StepOptions] = {}
    """What single steps may use, by the step's name."""

    @property
    def limits(self) -> dict[str, float]:
        """Seconds that each step may take."""
        return {step: self.steps.get(step, StepOptions()).limit for step in get_args(StepName)}


class DockerTarget(Block):
    """Steps are containers on this machine."""

    kind: Literal["docker"]

    group: GroupName = "local"
    """The serving group that runs release to."""

    steps: dict[StepName, ContainerOptions] = {}
    """What single steps may use, by the step's name."""

    @property
    def limits(self) -> dict[str, float]:
        """Seconds that each step may take."""
        return {step: self.options(step).limit for step in get_args(StepName)}

    def options(self, step: StepName) -> ContainerOptions:
        """What a step may use, every default filled in but for `cpus`, where none means all."""
        said = self.steps.get(step, ContainerOptions())
        return said if said.memory else said.model_copy(update={"memory": MEMORY.get(step, BYTES["Mi"] * 512)})


Target = Annotated[LocalTarget | DockerTarget | ClusterTarget, Field(discriminator="kind")]


class Targets(RootModel[dict[TargetName, Target]]):
    """All targets by name."""

    def named(self, name: str) -> LocalTarget | DockerTarget | ClusterTarget:
        """The target `name`; UsageError with near names when there is none."""
        if name not in self.root:
            raise UsageError(f"--on {name}: no such target{nearest(name, list(self.root))}")
        return self.root[name]


def load_targets(path: Path | None) -> Targets:
    """The targets in the file `path` and the built-in ones; SpecError says what is wrong."""
    return targets_from(read_document(path), str(path)) if path else targets_from({"targets": FORMAT})


def targets_from(document: Mapping[str, Any], file: str = "") -> Targets:
    """The targets of plain data.

    Raises:
        SpecError: the format's number, a name or a field is unknown, missing or wrong.
    """
    version = document.get("targets")
    if type(version) is not int or version != FORMAT:
        received = "nothing" if version is None else repr(version)
        raise SpecError("targets", f"received {received}; this ferryman reads `targets: {FORMAT}`", file)
    named = {name: target for name, target in document.items() if name != "targets"}
    for name in BUILT_IN:
        target = named.setdefault(name, {})
        if isinstance(target, Mapping):
            named[name] = {"kind": name, **target}
    return validate(Targets, named, file)
