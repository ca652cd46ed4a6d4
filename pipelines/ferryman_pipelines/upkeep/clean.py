"""What may go from the home folder, in the order in which it goes: what runs name goes after the runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ferryman_pipelines.upkeep.leftover import Leftover
from ferryman_pipelines.upkeep.named import named
from ferryman_pipelines.upkeep.old_runs import old_runs
from ferryman_pipelines.upkeep.stores import cached_wheels, dead_versions, stray_partials, unnamed_inputs


def leftovers(home: Path, keep: int, older_than: float | None, now: float) -> tuple[list[Leftover], list[str]]:
    """All that nothing names, and what was left alone and why; nothing is changed.

    `keep`: newest runs of each model that stay whole. `older_than`: seconds after which runs go with their records,
    None for never. `now`: seconds of the epoch.
    """
    ask, notes = partial(named, home, now), list[str]()
    runs = list(old_runs(home, keep, older_than, now, ask))
    going = {found.path for found in runs if found.kind == "run"}
    found = [
        *runs,
        *unnamed_inputs(home, now, going),
        *cached_wheels(home, now),
        *dead_versions(home, ask, notes),
        *(stray for stray in stray_partials(home, now) if not going.intersection(stray.path.parents)),
    ]
    return found, notes
