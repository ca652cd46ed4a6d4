"""One task of a compiled pipeline: started somewhere, and its end put on the record whatever it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from ferryman.artifacts.fragment import Failure, Fragment
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import timestamp
from ferryman.errors import StepError
from ferryman.process import Finished
from ferryman_pipelines.runners.call import Call
from ferryman_pipelines.runners.reuse import NEVER, Reuse


class Place(Protocol):
    """Where a task's code runs: processes of this environment, containers."""

    def code(self, step: str) -> str:
        """What names the code that a step runs: other code, another name."""

    def execute(self, call: Call, environment: Mapping[str, str]) -> Finished:
        """Run the call to its end, its output in the step's log."""


class TaskRunner:
    """Runs the tasks of one run; it takes the place of kfp.local's `run_local_subprocess`."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder, self._place = folder, place
        self._record = Run(folder, folder.name)
        self._reuse = Reuse(self._record, place.code)

    def run(self, full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        """Run one task; its exit code, 0 also when an earlier attempt's result still stands."""
        call = Call.parse(full_command)
        step = call.function
        if self._reuse.take(call):
            print(f"{step}: finished in an earlier attempt, its result stands", flush=True)
            return 0
        before = self._record.fragment(step)
        finished = self._place.execute(call, env_vars or {})
        if finished.lost:
            # Not the step's fault; without a fork server it comes fresh.
            print(f"{step}: {finished.reason()}; started again", flush=True)
            finished = self._place.execute(call, env_vars or {})
        if finished.ok and not self._left_its_result(call, before):
            finished = replace(finished, cause="it ended without an error and without its result")
        if finished.ok:
            self._reuse.keep(call)
            return 0
        self._complete(step, finished)
        print(f"{step}: {finished.reason()}", flush=True)
        return finished.exit_code or 1

    def _left_its_result(self, call: Call, before: Fragment | None) -> bool:
        """Whether the step said that it is done, and left what others wait for: an exit code can be lost on its way."""
        if call.answers and not call.output_file.is_file():
            return False
        fragment = self._record.fragment(call.function)
        return call.function in NEVER or (fragment != before and fragment is not None and fragment.state == "done")

    def _complete(self, step: str, finished: Finished) -> None:
        """Put a failure on the record that the step could not put there itself: a signal, a limit, a failed import."""
        fragment = self._record.fragment(step)
        if fragment and fragment.state == "failed" and not finished.cause:
            return
        now = timestamp(datetime.now(UTC))
        error = finished.error
        failure = Failure(
            kind=error.kind if error else StepError.__name__,
            text=_reason(finished, fragment),
            # Exit code 1 of a child is any exception; only our own kinds of error say something finer.
            exit_code=error.exit_code if error and error.exit_code > 1 else StepError.exit_code,
        )
        start = fragment or Fragment(step=step, run=self._record.id, state="failed", started=now)
        update = {"state": "failed", "ended": now, "seconds": round(finished.seconds, 3), "error": failure}
        self._record.write_fragment(start.model_copy(update=update))


def _reason(finished: Finished, fragment: Fragment | None) -> str:
    """Why it failed, and what the step said of it."""
    said = fragment.error.text if fragment and fragment.state == "failed" and fragment.error else ""
    return "; it said: ".join(text for text in (finished.reason(), said) if text)
