"""What nothing names in the input store, the wheel cache and the serving stores, and what interrupted writers left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ferryman.controller.lock import group_lock, lock_held
from ferryman.errors import UnavailableError
from ferryman.serving.record import GroupRecord, known_group, version_folder
from ferryman.serving.store import numbers_in_store
from ferryman.storage.inputs import forget
from ferryman_pipelines.upkeep.leftover import SPARED, Leftover, discard, size_of
from ferryman_pipelines.upkeep.named import groups, inputs_named
from ferryman_pipelines.upkeep.old_runs import Ask


def unnamed_inputs(home: Path, now: float, going: set[Path]) -> Iterator[Leftover]:
    """Entries of the input store that no document names, but those of the runs in `going`, and that are not young."""
    place = home / "inputs" / "sha256"
    names = inputs_named(home, going)
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.name not in names and not path.name.startswith(".") and _old(path, now):
            text = "an input that no run, compiled spec or group names"
            yield Leftover("input", path, size_of([path]), text, partial(_forget, home, path.name, now))


def cached_wheels(home: Path, now: float) -> Iterator[Leftover]:
    """Wheels of the cache that are not young; whoever needs one fetches it again."""
    place = home / "cache" / "wheels"
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if not path.name.startswith(".") and _old(path, now):
            text = "a wheel, fetched again when needed"
            yield Leftover("wheel", path, size_of([path]), text, partial(_discard, path))


def dead_versions(home: Path, ask: Ask, notes: list[str]) -> Iterator[Leftover]:
    """Versions in serving stores that are tombstoned and that nothing names; a group that is run is left alone."""
    named = ask("")
    for group in groups(home):
        if group in named.uncertain:
            notes.append(f"group {group.name} is left alone: {named.uncertain[group]}")
            continue
        found = list(_tombstoned(group, known_group(group), set(named.versions)))
        if found and lock_held(group):
            notes.append(f"group {group.name} is run at the moment: its store is left alone")
            continue
        for path in found:
            text = "a version that was taken from every server"
            yield Leftover("version", path, size_of([path]), text, partial(_bury, group, path, ask))


def stray_partials(home: Path, now: float) -> Iterator[Leftover]:
    """What writers that were killed left behind; young ones may belong to a writer at work."""
    for at, folders, files in os.walk(home):
        for name in [*folders, *files]:
            path = Path(at) / name
            if name.startswith(".") and name.endswith(".partial") and _old(path, now):
                text = "a file that was never finished"
                yield Leftover("partial", path, size_of([path]), text, partial(_discard, path))
        folders[:] = [name for name in folders if not name.endswith(".partial")]


def _tombstoned(group: Path, record: GroupRecord | None, named: set[Path]) -> Iterator[Path]:
    for model, part in (record.models if record else {}).items():
        present = numbers_in_store(group, model)
        for number in part.tombstones:
            path = version_folder(group, model, number)
            # The largest number stays: should every record be lost, it keeps the next one from being used again.
            if number in present[:-1] and path.is_dir() and path not in named:
                yield path


def _bury(group: Path, path: Path, ask: Ask) -> str:
    try:
        with group_lock(group):
            found = ask("")
            if group in found.uncertain or path not in _tombstoned(group, known_group(group), set(found.versions)):
                return "it is named by now"
            discard(path)
            return ""
    except UnavailableError as error:
        return str(error)


def _forget(home: Path, digest: str, now: float) -> str:
    if digest in inputs_named(home, set()):
        return "it is named by now"
    return "" if forget(home, digest, now - SPARED) else "it was pinned again"


def _discard(path: Path) -> str:
    discard(path)
    return ""


def _old(path: Path, now: float) -> bool:
    try:
        return now - path.lstat().st_mtime > SPARED
    except FileNotFoundError:
        return False
