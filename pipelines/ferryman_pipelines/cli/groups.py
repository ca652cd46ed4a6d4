"""Serving groups as somebody types them: which can be served, who has their ports, where a starting server listens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ferryman.controller.lock import Endpoints, lock_held, read_endpoints
from ferryman.errors import FerrymanError, UnavailableError, UsageError
from ferryman.problems import nearest
from ferryman.serving.record import known_group
from ferryman.serving.release import read_releases
from ferryman.spec.cluster import ClusterTarget
from ferryman_pipelines.cli.home import GROUP, Home
from ferryman_pipelines.cli.options import usual_targets
from ferryman_pipelines.cli.output import program, say

DEFAULT = "local"
"""The group that can be served before anything was released to it."""

GRACE = 3.0
"""Seconds in which a `serve` that was typed a moment ago says that it is there: Python's start on a busy machine."""

START_LIMIT = 120.0
"""Seconds for which a server that starts is waited for: TensorFlow's import takes 4 s here, a large model a minute."""

PAUSE = 0.1
"""Seconds between two looks."""


def group_to_serve(place: Home, name: str) -> Path:
    """The folder of a group that can be served: the default one, one of the targets file, or one that holds something.

    Raises:
        UsageError: there is no such group; it names the group whose model is called so, or a near name.
    """
    folder = place.group(name)
    if name == DEFAULT or _holds_something(folder) or name in _target_groups():
        return folder
    groups = sorted({DEFAULT, *_target_groups(), *(path.name for path in _groups(place) if _holds_something(path))})
    for group in groups:
        if name in _models(place.group(group)):
            words = f"{program()} serve{'' if group == DEFAULT else f' {group}'}"
            raise UsageError(f"{name} is a model of the group {group}; try: {words}")
    raise UsageError(
        f"nothing was released to a group {name!r} yet{nearest(name, groups)}; "
        f"a first release makes it: {program()} run SPEC --group {name}"
    )


def check_ports(place: Home, folder: Path, host: str, ports: tuple[int, int]) -> None:
    """Refuse ports that are taken, before anything is created for a group.

    Raises:
        UnavailableError: says which port, which group of this home has it, and by which options others are taken.
    """
    from ferryman.serving.server import check_free

    if lock_held(folder):
        # It serves already, and on these ports: taking its lock says so.
        return
    for port in filter(None, ports):
        try:
            check_free(host, port)
        except UnavailableError as error:
            taker = next(_takers(place, port), "")
            advice = "`--port 0 --rest-port 0` takes free ones"
            raise UnavailableError(f"{error}: {taker}{advice}") from error


def starting_server(folder: Path) -> Endpoints | None:
    """Where the group's server listens, once it does; None when nobody starts one, or it does not come up in time."""
    began, told = time.monotonic(), False
    while (found := read_endpoints(folder)) is None:
        starts = lock_held(folder)
        if time.monotonic() - began > (START_LIMIT if starts else GRACE):
            return None
        if starts and not told:
            say(f"the server of the group {folder.name} is starting; waiting for it")
            told = True
        time.sleep(PAUSE)
    return found


def _takers(place: Home, port: int) -> Iterator[str]:
    for folder in _groups(place):
        found = read_endpoints(folder)
        if found and str(port) in {address.rpartition(":")[2] for address in (found.grpc, found.rest)}:
            yield f"the group {folder.name} is served there (pid {found.pid}); "


def _groups(place: Home) -> list[Path]:
    """The folders of all groups that were ever made."""
    return [path for path in sorted(place.group(DEFAULT).parent.glob("*")) if GROUP.fullmatch(path.name)]


def _holds_something(folder: Path) -> bool:
    return bool(_models(folder) or read_releases(folder))


def _models(folder: Path) -> set[str]:
    """The models that a group's record tells of, by its serving store where the record is lost or torn."""
    try:
        record = known_group(folder)
        return set(record.models) if record else set()
    except UnavailableError:
        return {path.name for path in folder.glob("store/[a-z0-9]*")}


def _target_groups() -> set[str]:
    """The groups of the targets file that lies here, if it can be read: a run may release to them at any moment."""
    try:
        targets = usual_targets().root.values()
    except FerrymanError:
        return set()
    return {target.group for target in targets if not isinstance(target, ClusterTarget)}
