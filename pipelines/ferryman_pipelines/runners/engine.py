"""Whether Docker's engine can run a pipeline here: asked before anything starts, so that nothing is left of a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ferryman.artifacts.code import code_digest
from ferryman.errors import UsageError
from ferryman.spec.step_names import STEPS
from ferryman.spec.targets import DockerTarget
from ferryman.spec.units import BYTES
from ferryman_pipelines.images.docker import DockerError, ask
from ferryman_pipelines.images.lock import CODE_LABEL, IMAGE_OF_STEP, read_lock
from ferryman_pipelines.runners.request import Container

LEAST: Final = 6 * BYTES["Mi"]
"""Memory that Docker gives a container at least (engine 20.10)."""


def containers_on(target: DockerTarget, lock: Path) -> dict[str, Container]:
    """Step -> its container, from the images that `lock` names.

    Raises:
        UsageError: no lock, an image that is not built, not here or of another ferryman, or more than a machine has.
        UnavailableError: no engine answers.
    """
    ids = read_lock(lock).ids(lock)
    # `docker info` answers without an engine too.
    ask("version", "--format", "{{.Server.Version}}")
    processors = int(ask("info", "--format", "{{.NCPU}}"))
    for name, image in {IMAGE_OF_STEP[step]: ids[step] for step in STEPS}.items():
        _expect_image(name, image, lock)
    return {step: _container(step, ids[step], target, processors) for step in STEPS}


def _container(step: str, image: str, target: DockerTarget, processors: int) -> Container:
    options = target.options(step)  # type: ignore[arg-type]
    memory = options.memory or LEAST
    if options.cpus and options.cpus > processors:
        raise UsageError(f"steps.{step}.cpus: received {options.cpus:g}, and Docker's engine has {processors}")
    if memory < LEAST:
        raise UsageError(f"steps.{step}.memory: received {memory} bytes, expected at least 6Mi, Docker's least")
    return Container(image=image, memory=memory, cpus=options.cpus)


def _expect_image(name: str, image: str, lock: Path) -> None:
    try:
        found = json.loads(ask("image", "inspect", "--format", "{{json .Config.Labels}}", image)) or {}
    except DockerError as error:
        raise UsageError(
            f"the image {name} that {lock} names ({image[:19]}) is not in Docker's engine; try: ferryman images build"
        ) from error
    code = found.get(CODE_LABEL)
    if code and code != code_digest():
        raise UsageError(
            f"the image {name} holds another ferryman (code {code[:8]}) than the one that runs here "
            f"({code_digest()[:8]}); try: ferryman images build"
        )
