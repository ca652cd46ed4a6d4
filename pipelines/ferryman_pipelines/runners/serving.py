"""The serving side of a run: while its release waits, somebody must run the group."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.artifacts.run_store import Run
from ferryman.controller.group import ensure_group
from ferryman.serving.release import read_end, read_releases, request_abort
from ferryman_pipelines.runners.request import RunRequest

ABORT_LIMIT = 30.0
"""Seconds that an interrupted run waits until its aborted release has gone back."""


class Rollout:
    """Keeps a group process alive from the moment that the run asks for a release until the run ends."""

    def __init__(self, request: RunRequest, run: Run) -> None:
        self._group, self._run = Path(request.group), run
        self._stack = contextlib.ExitStack()
        self._ensure = self._stack.enter_context(ensure_group(self._group, run.folder / "logs" / "group.log"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def attend(self) -> None:
        """Start the group process if a release of this run waits and nobody runs the group."""
        if self._waiting():
            self._ensure()

    def abort(self) -> None:
        """Give the run's release up (before its commit; after it the release goes on) and see it end."""
        waiting = self._waiting()
        for name in waiting:
            request_abort(self._group, name, "the run was interrupted")
        deadline = time.monotonic() + ABORT_LIMIT
        while waiting and time.monotonic() < deadline:
            self._ensure()
            time.sleep(0.1)
            waiting = self._waiting()

    def _waiting(self) -> list[str]:
        """Releases of this run that have not ended."""
        fragment = self._run.fragment("rollout")
        if fragment is None or fragment.state != "running":
            return []
        names = [release.name for release in read_releases(self._group)]
        return [
            name for name in names if name.rpartition("-")[0] == self._run.id and read_end(self._group, name) is None
        ]
