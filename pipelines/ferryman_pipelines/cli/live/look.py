"""One look at a run at work: which steps run, how far they have come, what memory they take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ferryman.artifacts.progress import StepProgress
from ferryman.artifacts.run_store import Run
from ferryman_pipelines.cli.live.memory import Resident, family, processes
from ferryman_pipelines.runners.main_process import MainProcess

SELDOM = 1.0
"""Seconds between two looks at /proc, which costs a hundred times a look at the run's folder."""


@dataclass(frozen=True)
class AtWork:
    """A step that runs."""

    step: str
    seconds: float
    progress: StepProgress | None = None
    memory: int = 0
    """Bytes of its processes; 0 where that is not known."""


@dataclass(frozen=True)
class Look:
    """A run at one moment."""

    seconds: float
    """Since this attempt began."""

    steps: tuple[AtWork, ...]
    memory: int = 0
    """Bytes of all its processes."""


class Watcher:
    """Looks at one run, whose processes are this one's children, or containers."""

    def __init__(self, run: Run, seen: Callable[[], Mapping[int, Resident]] = processes) -> None:
        self._run, self._began, self._seen = run, time.monotonic(), seen
        self._known: Mapping[int, Resident] = {}
        self._counted = -SELDOM

    def look(self) -> Look:
        """What can be seen now."""
        at = time.monotonic()
        if at - self._counted >= SELDOM:
            self._known, self._counted = self._seen(), at
        running = [fragment for fragment in self._run.fragments() if fragment.state == "running"]
        steps = tuple(self._at_work(fragment.step, fragment.started) for fragment in running)
        apart = (self._container(fragment.step) or 0 for fragment in running)
        return Look(at - self._began, steps, sum(family(pid, self._known) for pid in (os.getpid(), *apart)))

    def _at_work(self, step: str, started: str) -> AtWork:
        progress = self._run.progress(step)
        pid = self._container(step)
        if pid is None:
            pid = progress.pid if progress else 0
        return AtWork(step, _since(started), progress, family(pid, self._known))

    def _container(self, step: str) -> int | None:
        """The process of a step that is a container, and so no child of ours: what it calls itself means nothing here."""
        return MainProcess(self._run.folder, step).pid()


def _since(started: str) -> float:
    try:
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
