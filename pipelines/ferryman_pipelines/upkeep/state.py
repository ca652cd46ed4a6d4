"""Local state: whether each group's record is whole and served, and whether locks are held by who says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ferryman.artifacts.run_store import LOCK as RUN_LOCK
from ferryman.artifacts.run_store import RunStore
from ferryman.controller.lock import LOCK, lock_held, read_endpoints
from ferryman.errors import ArtifactError, UnavailableError
from ferryman.serving.record import GroupRecord, known_group, version_folder
from ferryman.serving.release import read_end, read_releases
from ferryman.storage.lock import held, holder
from ferryman_pipelines.upkeep.finding import Finding


def group_finding(group: Path) -> Finding:
    """What a group serves, whether anybody serves it now, and what waits or is lost there."""
    name = f"group {group.name}"
    try:
        record = known_group(group)
    except UnavailableError as error:
        return Finding(name, "fail", str(error), f"ferryman serve {group.name}")
    if lost := _lost(group, record):
        fix = "bring the files back, or: ferryman promote RUN --despite-hold, or ferryman rollback MODEL"
        return Finding(name, "warn", f"{_describe(record)}; the files of {', '.join(lost)} are lost", fix)
    endpoints = read_endpoints(group)
    if lock_held(group):
        where = f"served now on {endpoints.grpc} and {endpoints.rest}" if endpoints else "run now, not listening yet"
        return Finding(name, "ok", f"{_describe(record)}; {where}")
    if waiting := _waiting(group):
        text = f"{_describe(record)}; {', '.join(waiting)} has not ended, and nobody runs the group"
        return Finding(name, "warn", text, f"ferryman serve {group.name} goes on with it")
    return Finding(name, "ok", f"{_describe(record)}; not served at the moment (ferryman serve {group.name})")


def lock_findings(home: Path, groups: list[Path]) -> Iterator[Finding]:
    """Locks that are held, and of those the ones whose holder is not who took them."""
    places = {f"run {run.id}": run.folder / RUN_LOCK for run in RunStore(home / "runs").runs()}
    places |= {f"group {group.name}": group / LOCK for group in groups}
    taken = {name: path for name, path in places.items() if held(path)}
    for name, path in taken.items():
        pid = holder(path)
        if pid is not None and Path(f"/proc/{pid}").is_dir():
            yield Finding("lock", "ok", f"{name} is held by pid {pid}")
        else:
            text = f"{name} is held, but pid {pid}, which took it, lives no more: a child of it must have kept it"
            yield Finding("lock", "warn", text, f"find and end that process: fuser -v '{path}'")
    if not taken:
        yield Finding("locks", "ok", "none is held; whoever was killed has given theirs back")


def _describe(record: GroupRecord | None) -> str:
    serves = [
        f"{model} version {part.stable.number}"
        for model, part in sorted((record.models if record else {}).items())
        if part.stable
    ]
    return f"its record is whole: {', '.join(serves)}" if serves else "nothing was released to it yet"


def _lost(group: Path, record: GroupRecord | None) -> list[str]:
    """Stable versions without their files; that each byte is right is for the server to see."""
    return [
        f"{model} version {part.stable.number}"
        for model, part in sorted((record.models if record else {}).items())
        if part.stable and not (version_folder(group, model, part.stable.number) / "manifest.json").is_file()
    ]


def _waiting(group: Path) -> list[str]:
    found = []
    for release in read_releases(group):
        try:
            if read_end(group, release.name) is None:
                found.append(release.name)
        except ArtifactError:
            found.append(release.name)
    return found
