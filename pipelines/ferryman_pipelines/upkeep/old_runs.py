"""Old runs: first the bulk of their artifacts and their work goes, much later, when asked for, the whole run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from ferryman.artifacts.manifest import NAME
from ferryman.artifacts.run_store import Run, RunStore
from ferryman.errors import UnavailableError
from ferryman_pipelines.upkeep.leftover import Leftover, discard, size_of
from ferryman_pipelines.upkeep.named import Named

HEAVY: Final = frozenset({"examples", "model", "conversion"})
"""Kinds of artifacts that are large; evaluation, serving_check and verdict are reports, and stay."""

REPORTS: Final = frozenset({".json", ".html"})
"""What stays of a heavy artifact, where it lies at its top."""

Ask = Callable[[str], Named]
"""What is named at the moment of asking, whoever holds the lock of the run of that id."""


def old_runs(home: Path, keep: int, older_than: float | None, now: float, ask: Ask) -> Iterator[Leftover]:
    """What may go of runs that nothing names, but for the newest `keep` of each model.

    Whole runs only when they are older than `older_than` seconds.
    """
    named, counts = ask("").runs, dict[str, int]()
    for run in reversed(RunStore(home / "runs").runs()):
        model = str(run.request().get("name", ""))
        if run.id in named:
            continue
        counts[model] = counts.get(model, 0) + 1
        if counts[model] <= keep:
            continue
        if older_than is not None and now - _started(run) > older_than:
            yield _whole(run, ask)
        elif bulk := _bulk(run):
            yield _stripped(run, bulk, ask)


def _whole(run: Run, ask: Ask) -> Leftover:
    size = size_of([run.folder])
    return Leftover("run", run.folder, size, "the whole run with its record", lambda: _gone(run, [run.folder], ask))


def _stripped(run: Run, bulk: list[Path], ask: Ask) -> Leftover:
    text = "examples, model and work of a run; its record and reports stay"
    return Leftover("artifacts", run.folder, size_of(bulk), text, lambda: _gone(run, bulk, ask))


def _gone(run: Run, paths: list[Path], ask: Ask) -> str:
    """Remove `paths` of a run while nobody can go on with it; why not, when somebody does or it is named by now."""
    try:
        with run.lock():
            why = ask(run.id).runs.get(run.id, "")
            if not why:
                for path in paths:
                    discard(path)
            return why
    except UnavailableError as error:
        return str(error)


def _bulk(run: Run) -> list[Path]:
    """The large things in a run's folder; of an artifact its manifest last: until then an interrupted clean goes on."""
    found = [path for name in ("work", "calls") if (path := run.folder / name).is_dir()]
    for manifest in sorted((run.folder / "artifacts").rglob(NAME)):
        if _kind(manifest) in HEAVY:
            others = (path for path in sorted(manifest.parent.iterdir()) if path != manifest)
            found += [path for path in others if path.is_dir() or path.suffix not in REPORTS]
            found.append(manifest)
    return found


def _kind(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _started(run: Run) -> float:
    """When the run was asked for, seconds of the epoch; where nobody wrote it down, its folder's last change."""
    try:
        return datetime.fromisoformat(str(run.request().get("created", ""))).timestamp()
    except ValueError:
        return run.folder.stat().st_mtime
