"""The one wrapper round every step: it finds the run's folder, keeps the record fragment, seals what the step made.

with step("train", root, run_id, job) as run:
    examples = run.input(Path(examples), kind="examples")
    folder = run.output(Path(model), kind="model")
    ...
    run.headline = "0.971 accuracy"
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ferryman.artifacts.code import code_digest
from ferryman.artifacts.fragment import Failure, Fragment
from ferryman.artifacts.manifest import Manifest, seal, verify
from ferryman.artifacts.run_store import Run, RunStore
from ferryman.errors import FerrymanError, SpecError, StepError, UsageError, kind_of
from ferryman.process import one_line
from ferryman.process.memory import memory_kills
from ferryman.storage.code import PinnedCode, pinned_code

if TYPE_CHECKING:
    from ferryman.spec.blocks import CodeFolder


class Scores(Protocol):
    """What KFP's `Metrics` offers."""

    def log_metric(self, metric: str, value: float) -> None:
        """Keep one number for the pipeline UI."""


class StepRun:
    """A step at work: its inputs, outputs and what it wants on the record."""

    def __init__(self, name: str, run: Run, ends: ExitStack) -> None:
        self.name, self.run = name, run
        self._ends = ends
        self.headline = ""
        """One line for people: what came out, with its numbers."""

        self.facts: dict[str, Any] = {}
        """JSON facts for the record."""

        self.metrics: dict[str, float] = {}
        self.inputs: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.progress = run.progress_file(name)
        """Where it may say how far it has come."""

        self._folders: list[tuple[Path, str]] = []
        self._work: Path | None = None

    @property
    def run_id(self) -> str:
        """The run that this step belongs to."""
        return self.run.id

    @property
    def work(self) -> Path:
        """A scratch folder of this step's own, emptied before its first use."""
        if self._work is None:
            self._work = self.run.work(self.name)
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir(parents=True)
        return self._work

    def input(self, folder: Path, kind: str) -> Manifest:
        """The verified manifest of an input artifact; its digest goes on the record."""
        manifest = verify(folder, kind)
        self.inputs[kind] = manifest.digest
        return manifest

    def output(self, folder: Path, kind: str) -> Path:
        """An empty folder for an output artifact: sealed when the step ends well, removed when it fails."""
        _remove(folder)
        folder.mkdir(parents=True)
        self._folders.append((folder, kind))
        return folder

    def use_code(self, code: CodeFolder | PinnedCode | None) -> None:
        """Make the spec's own package importable until the step ends; its digest goes on the record.

        Raises:
            SpecError: it is not pinned. ArtifactError: its archive is missing or altered.
            UsageError: the environment is not what its lock file says.
        """
        if code is None:
            return
        if not isinstance(code, PinnedCode):
            raise SpecError("code", f"received the folder {code.path!r}, expected pinned code (uri and sha256)")
        self.inputs["code"] = code.sha256
        self._ends.enter_context(pinned_code(code, self.work / "code"))

    def log_metrics(self, scores: Scores, metrics: Mapping[str, float]) -> None:
        """Hand numbers to the pipeline UI and the record.

        Raises:
            StepError: a number is NaN or infinite: KFP cannot serialise it, and then skips the exit handler.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise StepError(f"metric {name} is {value}, expected a finite number")
            scores.log_metric(name, float(value))
            self.metrics[name] = float(value)

    def seal(self) -> None:
        """Write the manifests of all outputs."""
        for folder, kind in self._folders:
            self.outputs[kind] = seal(folder, kind, f"ferryman {self.name}")

    def discard(self) -> None:
        """Remove all outputs: nothing half written stays."""
        for folder, _ in self._folders:
            _remove(folder)


@contextmanager
def step(name: str, root: str, run_id: str, job: str) -> Iterator[StepRun]:
    """Run the body of step `name` in the run `run_id` (or `job`, KFP's own id, where no run id was given)."""
    run = RunStore(root).run(_identity(run_id, job))
    earlier = run.fragment(name)
    started, clock = datetime.now(UTC), time.monotonic()
    fragment = Fragment(
        step=name,
        run=run.id,
        attempt=earlier.attempt + 1 if earlier else 1,
        state="running",
        started=timestamp(started),
        code=code_digest(),
    )
    run.write_fragment(fragment)
    ends, killed = ExitStack(), memory_kills()
    at_work = StepRun(name, run, ends)
    # Whatever an earlier attempt said does not hold any more.
    at_work.progress.leave(now=True)

    def finish(state: str, error: BaseException | None = None) -> None:
        run.write_fragment(
            fragment.model_copy(
                update={
                    "state": state,
                    "ended": timestamp(datetime.now(UTC)),
                    "seconds": round(time.monotonic() - clock, 3),
                    "error": failure(error) if error else None,
                    "headline": at_work.headline,
                    "metrics": at_work.metrics,
                    "facts": at_work.facts,
                    "inputs": at_work.inputs,
                    "outputs": at_work.outputs,
                }
            )
        )

    try:
        with ends:
            yield at_work
        _expect_nobody_killed(memory_kills() - killed)
        at_work.seal()
    except BaseException as error:
        # Said first: what cannot be removed must not hide why the step failed.
        finish("failed", error)
        at_work.discard()
        raise
    finish("done")
    if at_work.headline:
        print(f"{name}: {at_work.headline}", flush=True)


def _expect_nobody_killed(killed: int) -> None:
    """Refuse to end well without a child: what it left out would pass for a result."""
    if killed > 0:
        raise StepError(
            f"the memory of its container ran out, and the kernel killed {killed} of its processes; expected none: "
            "raise the step's memory in the targets file"
        )


def failure(error: BaseException) -> Failure:
    """An error as the record keeps it."""
    exit_code = error.exit_code if isinstance(error, FerrymanError) else StepError.exit_code
    return Failure(kind=kind_of(error), text=one_line(error), exit_code=exit_code)


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, e.g. `2026-11-24T12:34:56.789Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _identity(run_id: str, job: str) -> str:
    identity = run_id or job
    if not identity or identity.startswith("{{"):
        raise UsageError(f"received run_id {run_id!r} and job {job!r}, expected one of them to name the run")
    return identity


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
