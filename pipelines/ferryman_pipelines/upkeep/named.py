"""What must stay: all that a group record, a release that has not ended, or a run at work names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ferryman.artifacts.run_store import Run, RunStore
from ferryman.errors import ArtifactError, UnavailableError
from ferryman.serving.record import FILE, GroupRecord, known_group, parse_or_none, version_folder
from ferryman.serving.release import read_end, read_releases
from ferryman_pipelines.upkeep.leftover import SPARED

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass
class Named:
    """Who is named, and by what."""

    runs: dict[str, str] = field(default_factory=dict)
    """Run id -> why its artifacts stay."""

    versions: dict[Path, str] = field(default_factory=dict)
    """Folder of a version in a serving store -> why it stays."""

    uncertain: dict[Path, str] = field(default_factory=dict)
    """Folder of a group whose record cannot be read -> why; nothing of it may go."""


def named(home: Path, now: float, ours: str = "") -> Named:
    """What is named at this moment in `home`; the run `ours`, whose lock we hold, is not at work for that."""
    found = Named()
    runs = RunStore(home / "runs").runs()
    for run in runs:
        if run.id != ours and (why := _busy(run, now)):
            found.runs[run.id] = why
            _champion(run, found)
    for group in groups(home):
        _of_group(group, runs, found)
    return found


def groups(home: Path) -> list[Path]:
    """The folders of all serving groups."""
    place = home / "groups"
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


DOCUMENTS = (
    "runs/*/*.json",
    "runs/*/*.yaml",
    "runs/*/fragments/*.json",
    "inputs/compiled/*.json",
    "groups/*/*.json",
    "groups/*/releases/*.json",
)
"""Where inputs are named: by runs and the copies of their specs, by compiled specs, by groups."""


def inputs_named(home: Path, going: set[Path]) -> set[str]:
    """Every digest that a document mentions, but for those of the runs in `going`; one too many harms nobody."""
    paths = (path for pattern in DOCUMENTS for path in home.glob(pattern) if not going.intersection(path.parents))
    return {digest for path in paths for digest in DIGEST.findall(_text(path))}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""


def _busy(run: Run, now: float) -> str:
    """Why a run's artifacts are not to be touched, as far as the run itself says."""
    if run.at_work():
        return "it is at work"
    if run.end() is None and not run.request():
        return "nobody here can say whether it has ended"
    if run.end() is None and now - run.folder.stat().st_mtime < SPARED:
        return "it may be starting"
    return ""


def _champion(run: Run, found: Named) -> None:
    """The version that a run at work compares its candidate with."""
    resolve = run.fragment("resolve")
    serves = resolve.facts.get("serves") if resolve else None
    if isinstance(serves, dict) and isinstance(serves.get("path"), str):
        found.versions[Path(serves["path"])] = f"run {run.id} compares with it"


def _of_group(group: Path, runs: list[Run], found: Named) -> None:
    releases = {release.name: release.artifact for release in read_releases(group)}
    waiting = [name for name in releases if not _has_ended(group, name)]
    for name in waiting:
        _keep_runs(runs, releases[name], f"its release {name} has not ended", found)
    try:
        record = known_group(group)
    except UnavailableError as error:
        found.uncertain[group] = str(error)
        for name, artifact in releases.items():
            _keep_runs(runs, artifact, f"the group {group.name}, whose record is lost, may serve {name}", found)
        return
    copies = [parse_or_none(path) for path in group.glob(f"agents/*/{FILE}")]
    for known in (record, *copies):
        if known:
            _of_record(group, known, releases, runs, found)


def _has_ended(group: Path, release: str) -> bool:
    try:
        return read_end(group, release) is not None
    except ArtifactError:
        # A torn end tells nothing.
        return False


def _of_record(group: Path, record: GroupRecord, releases: dict[str, str], runs: list[Run], found: Named) -> None:
    for model, part in record.models.items():
        for word, version in (("serves", part.stable), ("is the way back", part.previous), ("comes", part.candidate)):
            if version:
                why = f"version {version.number} of {model} {word} in the group {group.name}"
                found.versions[version_folder(group, model, version.number)] = why
                _keep_runs(runs, releases.get(version.release, ""), why, found)


def _keep_runs(runs: list[Run], artifact: str, why: str, found: Named) -> None:
    """Keep the run in whose folder an artifact lies: by its id, since the home may have been moved."""
    for run in runs:
        if run.id in Path(artifact).parts:
            found.runs.setdefault(run.id, why)
