"""The serving side of whatever asks for a release: while that waits, somebody must run the group."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.artifacts.run_store import Run
from ferryman.controller.group import ensure_group
from ferryman.errors import FerrymanError, InterruptedRunError, UnavailableError
from ferryman.serving.record import Ended
from ferryman.serving.release import read_end, read_releases, request_abort
from ferryman_pipelines.runners.request import RunRequest

PAUSE = 0.1
"""Seconds between two looks at a release."""

ABORT_LIMIT = 30.0
"""Seconds that an interrupted run waits until its aborted release has gone back."""

LIMIT = 600.0
"""Seconds that a person's release may take: it loads one version, twice."""


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
        for name in self._waiting():
            _abort(self._group, name, "the run was interrupted", self._ensure)

    def _waiting(self) -> list[str]:
        """Releases of this run that have not ended."""
        fragment = self._run.fragment("rollout")
        if fragment is None or fragment.state != "running":
            return []
        names = [release.name for release in read_releases(self._group)]
        return [
            name for name in names if name.rpartition("-")[0] == self._run.id and read_end(self._group, name) is None
        ]


def wait_for(group: Path, release: str, *, give_up: str = "") -> Ended:
    """How the release ended; the group process is started while nobody runs the group.

    Whoever is interrupted leaves the release to go on, or with a reason to `give_up` aborts it and sees it end.

    Raises:
        UnavailableError: it has not ended in time, or no group process can run here.
    """
    with ensure_group(group, group / "group.log") as attend:
        try:
            end = _end_of(group, release, attend, LIMIT)
        except (KeyboardInterrupt, InterruptedRunError):
            if give_up:
                # What cannot be given up now goes on or is given up by whoever runs the group next.
                with contextlib.suppress(FerrymanError, OSError):
                    _abort(group, release, give_up, attend)
            raise
    if end is None:
        raise UnavailableError(f"{release} has not ended within {LIMIT:.0f} s; it goes on with `ferryman serve`")
    return end


def _abort(group: Path, release: str, reason: str, attend: Callable[[], None]) -> None:
    """Give a release up (before its commit; after it the release goes on) and see it end."""
    request_abort(group, release, reason)
    _end_of(group, release, attend, ABORT_LIMIT)


def _end_of(group: Path, release: str, attend: Callable[[], None], limit: float) -> Ended | None:
    deadline = time.monotonic() + limit
    while (end := read_end(group, release)) is None and time.monotonic() < deadline:
        attend()
        time.sleep(PAUSE)
    return end
