"""Containers that nobody needs any more: whoever starts one may be killed before it can remove it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from ferryman.artifacts.run_store import RunStore
from ferryman.errors import UnavailableError, UsageError
from ferryman_pipelines.images.docker import DockerError, ask
from ferryman_pipelines.runners.request import RunRequest

RUN, ROOT, STEP = "ferryman.run", "ferryman.root", "ferryman.step"
"""Labels of every container of ours."""

TRIES: Final = 50
PAUSE: Final = 0.1
"""Looks at containers that are being removed, and seconds between two."""


def labels(request: RunRequest, step: str) -> list[str]:
    """The words that label a step's container."""
    named = {RUN: request.run, ROOT: request.root, STEP: step}
    return [word for name, value in named.items() for word in ("--label", f"{name}={value}")]


@contextlib.contextmanager
def swept(request: RunRequest, warn: Callable[[str], None]) -> Iterator[None]:
    """Round the orchestrator of a run: whatever was left of it before, and of runs that were killed, is gone; so is what
    it leaves.

    Raises:
        UnavailableError: the engine does not answer at the start.
    """
    if not request.containers:
        yield
        return
    remove(request, also=_dead)
    try:
        yield
    finally:
        try:
            remove(request)
        except UnavailableError as error:
            warn(f"  containers of this run may be left: docker ps --all --filter label={RUN}={request.run} ({error})")


def remove(request: RunRequest, also: Callable[[RunRequest, str], bool] = lambda request, run: False) -> None:
    """Remove all containers of the run, and those of other runs below its root for which `also` says so.

    Raises:
        UnavailableError: the engine does not answer, or keeps one.
    """
    form = f'{{{{.ID}}}} {{{{.Label "{RUN}"}}}}'
    for _ in range(TRIES):
        found = ask("ps", "--all", "--no-trunc", "--filter", f"label={ROOT}={request.root}", "--format", form)
        pairs = [line.split(" ", 1) for line in found.splitlines()]
        ours = [container for container, run in pairs if run == request.run or also(request, run)]
        if not ours:
            return
        # Somebody else may be removing one of them; what counts is that it goes.
        with contextlib.suppress(DockerError):
            ask("container", "rm", "--force", "--volumes", *ours)
        time.sleep(PAUSE)
    raise UnavailableError(f"docker does not remove the containers {', '.join(name[:12] for name in ours)}")


def _dead(request: RunRequest, run: str) -> bool:
    """Whether nobody runs that other run."""
    try:
        return not RunStore(request.root).run(run).at_work()
    except UsageError:
        return False
