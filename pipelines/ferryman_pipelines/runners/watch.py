"""A run as seen from outside: the orchestrator is started, its steps are told as they end, the record is always written."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ferryman.artifacts.fragment import End, Fragment
from ferryman.artifacts.record import RunRecord, write_record
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import failure, timestamp
from ferryman.errors import FerrymanError, InterruptedRunError
from ferryman.process import Finished, one_line, spawn
from ferryman.storage.local import atomic_write
from ferryman_pipelines.runners.request import FILE, RunRequest
from ferryman_pipelines.runners.serving import Rollout
from ferryman_pipelines.runners.signals import sigterm_interrupts
from ferryman_pipelines.runners.sweeping import swept
from ferryman_pipelines.runners.warm import ENVIRONMENT, warm_steps

PAUSE = 0.1
"""Seconds between two looks at the run's folder."""


def watch(
    request: RunRequest,
    tell: Callable[[Fragment], None],
    warn: Callable[[str], None] = lambda text: None,
    *,
    isolate: bool = False,
) -> RunRecord:
    """Run the request to its end and write its record, whatever happens on the way; `isolate` starts no step warm.

    `tell` hears of each step that ended, `warn` of what goes another way than it should.

    Raises:
        UnavailableError: somebody else runs it.
    """
    run = Run(request.folder, request.run)
    with run.lock(), sigterm_interrupts():
        run.reopen()
        # What the orchestrator reads: places and limits may be others than when it was asked for.
        atomic_write(request.folder / FILE, f"{request.model_dump_json(indent=1)}\n".encode())
        run.write_end(_end(lambda: _orchestrate(request, run, tell, warn, isolate)))
        return write_record(run)


def _end(orchestrate: Callable[[], Finished]) -> End:
    """Run it; how that ended, whatever it was: a run without a record could not be told from one that was killed."""
    state, reason, code = "SUCCEEDED", "", None
    try:
        finished = orchestrate()
        if not finished.ok:
            state, reason = "FAILED", f"orchestrator: {finished.reason()}"
    except (KeyboardInterrupt, InterruptedRunError) as error:
        state, reason = "INTERRUPTED", str(error) or "Ctrl-C"
    except Exception as error:
        state, reason, code = "FAILED", one_line(error), failure(error).exit_code
    at = timestamp(datetime.now(UTC))
    return End.model_validate({"state": state, "reason": reason, "exit_code": code, "at": at})


def _orchestrate(
    request: RunRequest, run: Run, tell: Callable[[Fragment], None], warn: Callable[[str], None], isolate: bool
) -> Finished:
    # The first code of a container has to import all that it needs itself.
    isolate = isolate or bool(request.containers)
    with warm_steps(request, warn, isolate=isolate) as attend, Rollout(request, run) as rollout:
        try:
            with swept(request, warn):
                return _walk(request, Told(run, tell), [attend, rollout.attend])
        except BaseException:
            # What cannot be given up now goes on or is given up by whoever runs the group next; the reason stands.
            with contextlib.suppress(FerrymanError, OSError):
                rollout.abort()
            raise


def _walk(request: RunRequest, told: Told, attended: Sequence[Callable[[], None]]) -> Finished:
    """Run the orchestrator to its end and call those who are to be `attended` meanwhile; it ends with us."""
    process = spawn(
        [sys.executable, "-m", "ferryman_pipelines.runners.local", str(request.folder / FILE)],
        log=request.folder / "logs" / "orchestrator.log",
        env=ENVIRONMENT,
    )
    try:
        while (finished := process.poll()) is None:
            told.news()
            for attend in attended:
                attend()
            time.sleep(PAUSE)
    except BaseException:
        process.kill()
        process.wait()
        raise
    told.news()
    return finished


class Told:
    """Which steps were told already."""

    def __init__(self, run: Run, tell: Callable[[Fragment], None]) -> None:
        self._run, self._tell = run, tell
        self._known: dict[str, Fragment] = {fragment.step: fragment for fragment in run.fragments()}

    def news(self) -> None:
        """Tell every step that has ended since the last call."""
        for fragment in self._run.fragments():
            if fragment != self._known.get(fragment.step):
                self._known[fragment.step] = fragment
                if fragment.state in {"done", "failed"}:
                    self._tell(fragment)
