"""The target that a run was asked for: what steps may use there, and whether they can run there at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ferryman.errors import UsageError
from ferryman.spec.targets import DockerTarget, LocalTarget
from ferryman_pipelines.cli.options import target_named, targets_file
from ferryman_pipelines.images.lock import FILE
from ferryman_pipelines.runners.engine import containers_on
from ferryman_pipelines.runners.request import Container


@dataclass(frozen=True)
class Choice:
    """A target by its name, and what a request keeps of it."""

    name: str
    file: Path | None
    """The targets file that it stands in; None where there is none."""

    target: LocalTarget | DockerTarget
    lock: Path
    containers: dict[str, Container] = field(default_factory=dict)

    def fields(self) -> dict[str, object]:
        """The fields of a request."""
        return {
            "target": self.name,
            "targets": str(self.file.absolute()) if self.file else "",
            "lock": str(self.lock) if self.containers else "",
            "limits": self.target.limits,
            "containers": self.containers,
        }


def choose(name: str, file: Path | None, lock: Path | None = None) -> Choice:
    """The target `name` of the targets file (`targets.yaml` where there is one), its images looked for if it has some.

    Raises:
        UsageError: there is no such target, it cannot be run on from here, or its images are not ready.
        UnavailableError: its engine does not answer.
    """
    file = targets_file(file)
    target = target_named(name, file)
    if isinstance(target, LocalTarget):
        return Choice(name, file, target, Path())
    if not isinstance(target, DockerTarget):
        raise UsageError(
            f"--on {name}: received a target of kind {target.kind}, expected local or docker; for a cluster: "
            f"ferryman compile SPEC --on {name} -o FILE"
        )
    lock = (lock or Path(FILE)).absolute()
    return Choice(name, file, target, lock, containers_on(target, lock))
