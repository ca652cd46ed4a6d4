"""One task of a compiled pipeline as a process: started, watched, and its end put on the record whatever it was."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ferryman.artifacts.fragment import Failure, Fragment
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import timestamp
from ferryman.errors import StepError
from ferryman.process import Finished, run
from ferryman.spec.targets import StepOptions
from ferryman_pipelines.runners.call import Call
from ferryman_pipelines.runners.reuse import Reuse


class TaskRunner:
    """Runs the tasks of one run; it takes the place of kfp.local's `run_local_subprocess`."""

    def __init__(self, folder: Path, limits: Mapping[str, float]) -> None:
        self.folder, self.limits = folder, limits
        self._record = Run(folder, folder.name)
        self._reuse = Reuse(self._record)

    def run(self, full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        """Run one task; its exit code, 0 also when an earlier attempt's result still stands."""
        call = Call.parse(full_command)
        step = call.function
        if self._reuse.take(call):
            print(f"{step}: finished in an earlier attempt, its result stands", flush=True)
            return 0
        finished = self._execute(call, env_vars or {})
        if finished.lost:
            # Not the step's fault; without a fork server it comes fresh.
            print(f"{step}: {finished.reason()}; started again", flush=True)
            finished = self._execute(call, env_vars or {})
        if finished.ok:
            self._reuse.keep(call)
            return 0
        self._complete(step, finished)
        print(f"{step}: {finished.reason()}", flush=True)
        return finished.exit_code or 1

    def _execute(self, call: Call, environment: Mapping[str, str]) -> Finished:
        place = self.folder / "calls" / call.function
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        call.output_file.parent.mkdir(parents=True, exist_ok=True)
        (place / "component.py").write_text(call.source, encoding="utf-8")
        document = {
            "source": str(place / "component.py"),
            "function": call.function,
            "executor_input": json.dumps(call.executor_input),
        }
        (place / "call.json").write_text(json.dumps(document), encoding="utf-8")
        return run(
            [sys.executable, "-m", "ferryman_pipelines.runners.bootstrap", str(place / "call.json")],
            log=self.folder / "logs" / f"{call.function}.log",
            limit=self.limits.get(call.function, StepOptions().limit),
            env=environment,
            cwd=place,
            warm_start=True,
        )

    def _complete(self, step: str, finished: Finished) -> None:
        """Put a failure on the record that the step could not put there itself: a signal, a limit, a failed import."""
        fragment = self._record.fragment(step)
        if fragment and fragment.state == "failed":
            return
        now = timestamp(datetime.now(UTC))
        error = finished.error
        failure = Failure(
            kind=error.kind if error else StepError.__name__,
            text=finished.reason(),
            # Exit code 1 of a child is any exception; only our own kinds of error say something finer.
            exit_code=error.exit_code if error and error.exit_code > 1 else StepError.exit_code,
        )
        start = fragment or Fragment(step=step, run=self._record.id, state="failed", started=now)
        update = {"state": "failed", "ended": now, "seconds": round(finished.seconds, 3), "error": failure}
        self._record.write_fragment(start.model_copy(update=update))
