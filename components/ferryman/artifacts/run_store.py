"""The run store: one folder a run, `RUN_ROOT/<run id>/`, where steps leave fragments and readers find the record."""

from __future__ import annotations

import contextlib
import json
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from ferryman.artifacts.fragment import End, Fragment
from ferryman.artifacts.progress import ProgressFile, StepProgress
from ferryman.artifacts.promotion import Promotion
from ferryman.errors import ArtifactError, UsageError
from ferryman.spec.step_names import STEPS
from ferryman.storage.local import atomic_write
from ferryman.storage.lock import held, hold
from ferryman.storage.uri import local_path, scheme_of

RECORD: Final = "record.json"
LOCK: Final = "lock"
RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Run:
    """One run's folder; every write is atomic, a torn or foreign document reads as absent."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder, self.id = folder, run_id

    def work(self, step: str) -> Path:
        """The scratch folder of a step inside the run's folder."""
        return self.folder / "work" / step

    def write_fragment(self, fragment: Fragment) -> None:
        """Leave `fragments/STEP.json`."""
        self._write(f"fragments/{fragment.step}.json", fragment.model_dump_json(indent=1))

    def progress_file(self, step: str) -> ProgressFile:
        """Where `step` says how far it has come: `progress/STEP.json`."""
        return ProgressFile(self.folder / "progress" / f"{step}.json")

    def progress(self, step: str) -> StepProgress | None:
        """How far `step` said that it has come; None when it said nothing readable."""
        try:
            return StepProgress.read(self.folder / "progress" / f"{step}.json")
        except ArtifactError:
            return None

    def fragment(self, step: str) -> Fragment | None:
        """What `step` last said of itself; None when it said nothing readable."""
        try:
            return Fragment.read(self.folder / "fragments" / f"{step}.json")
        except ArtifactError:
            return None

    def fragments(self) -> list[Fragment]:
        """All readable fragments: first in the order of the pipeline, then by name."""
        order = {step: number for number, step in enumerate(STEPS)}
        names = {path.stem for path in (self.folder / "fragments").glob("*.json")}
        found = [self.fragment(name) for name in sorted(names, key=lambda name: (order.get(name, len(order)), name))]
        return [fragment for fragment in found if fragment]

    def request(self) -> dict[str, Any]:
        """`request.json`: what was asked for; empty where the run was not started by our command line."""
        try:
            document = json.loads((self.folder / "request.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def write_end(self, end: End) -> None:
        """Leave `ended.json`."""
        self._write("ended.json", end.model_dump_json(indent=1))

    def end(self) -> End | None:
        """How the orchestration ended, as far as anybody saw."""
        try:
            return End.read(self.folder / "ended.json")
        except ArtifactError:
            return None

    def write_promotion(self, promotion: Promotion) -> None:
        """Leave `promotions/RELEASE.json`: what a person decided against the gate, and later how it ended."""
        self._write(f"promotions/{promotion.release}.json", promotion.model_dump_json(indent=1))

    def promotions(self) -> list[Promotion]:
        """All readable decisions of people against this run's gate, oldest first."""
        found = []
        for path in (self.folder / "promotions").glob("*.json"):
            with contextlib.suppress(ArtifactError):
                found.append(Promotion.read(path))
        return sorted(found, key=lambda promotion: (promotion.at, promotion.release))

    def reopen(self) -> None:
        """Forget how it ended, and the record of that: the run goes on."""
        for name in ("ended.json", RECORD):
            (self.folder / name).unlink(missing_ok=True)
        for fragment in self.fragments():
            if not fragment.final:
                # Its attempt goes on counting; what it said must not decide what this attempt comes to.
                said_nothing: dict[str, Any] = {
                    "state": "stale",
                    "error": None,
                    "facts": {},
                    "headline": "",
                    "metrics": {},
                }
                self.write_fragment(fragment.model_copy(update=said_nothing))

    def lock(self) -> AbstractContextManager[None]:
        """Be the one who runs it; UnavailableError when somebody else does."""
        return hold(
            self.folder / LOCK, f"run {self.id} is at work already (pid {{pid}}): wait for it, or stop that one"
        )

    def at_work(self) -> bool:
        """Whether somebody runs it now; False for runs that are not run from here."""
        return held(self.folder / LOCK)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, f"{text}\n".encode())


class RunStore:
    """All runs below one root, given as a path or `file://` URI."""

    def __init__(self, root: str | Path) -> None:
        scheme = scheme_of(str(root))
        if scheme not in ("", "file"):
            raise UsageError(f"run root {root}: received scheme {scheme!r}, expected a local folder or file://")
        self.root = local_path(str(root))

    def run(self, run_id: str) -> Run:
        """The folder of `run_id` (it need not exist); UsageError when the id could not be a folder's name."""
        if not RUN_ID.fullmatch(run_id):
            raise UsageError(
                f"received run id {run_id!r}, expected letters, digits, '.', '_' and '-' (see `ferryman runs`)"
            )
        return Run(self.root / run_id, run_id)

    def runs(self) -> list[Run]:
        """All runs, oldest first; those that nobody asked for from here come before all others, by id."""
        if not self.root.is_dir():
            return []
        names = [path.name for path in self.root.iterdir() if RUN_ID.fullmatch(path.name) and _holds_a_run(path)]
        return sorted(map(self.run, names), key=lambda run: (str(run.request().get("created", "")), run.id))


def _holds_a_run(folder: Path) -> bool:
    """Whether anybody left a word of a run: an empty folder is none that runs for ever."""
    return any((folder / name).exists() for name in ("request.json", "fragments", RECORD))
