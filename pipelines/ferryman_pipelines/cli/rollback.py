"""`ferryman rollback`."""

from __future__ import annotations

import contextlib
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ferryman.artifacts.record import EXIT_CODES, TERMINAL
from ferryman.artifacts.step import timestamp
from ferryman.errors import ConflictError, UnavailableError, UsageError
from ferryman.serving.record import GroupRecord, ModelPart, known_group
from ferryman_pipelines.cli.completion import group_names, model_names
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, say, show, show_json

ADOPTION = 60.0
"""Seconds in which a lost record must be back: no agent waits for anything but its own look."""


def rollback(
    model: Annotated[str, typer.Argument(help="The model to take back.", metavar="MODEL", autocompletion=model_names)],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept on the record.")],
    group: Annotated[str, typer.Option("--group", help="The serving group.", autocompletion=group_names)] = "local",
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")] = Format.text,
) -> int:
    """Go back to the version that served before.

    That works whether a server runs at the moment or not. The model that is left is refused from then on, until a
    person promotes it again with a reason.

    Example: ferryman rollback mnist --reason "complaints about sevens"
    """
    from ferryman.serving.release import Release, create_release
    from ferryman_pipelines.runners.serving import wait_for

    folder = home().group(group)
    if not reason.strip():
        raise UsageError("--reason received an empty text; say why, it is kept on the record")
    leaves = leaving(folder, model)
    now = datetime.now(UTC)
    release = Release(
        name=f"rollback-{model}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        kind="rollback",
        model=model,
        created=timestamp(now),
        leaves=leaves,
        reason=reason,
    )
    say(f"rolling {model} back from version {leaves}")
    create_release(folder, release)
    end = wait_for(folder, release.name)
    if output is Format.json:
        show_json({"release": release.name, **end.model_dump(mode="json")})
    elif end.state == "Promoted":
        show(f"{model}: version {end.version} serves again; version {leaves} is refused from now on")
    else:
        show(f"{model}: {end.state}: {end.why}")
    return EXIT_CODES[TERMINAL[end.state]]


def leaving(folder: Path, model: str) -> int:
    """The version that a rollback leaves: the candidate of a rollout before its commit, else what serves."""
    record = adopted(folder)
    models = record.models if record else {}
    if model not in models:
        known = ", ".join(sorted(models)) or "no model yet"
        raise UsageError(f"no model {model!r} in this group; it holds {known}")
    part: ModelPart = models[model]
    if part.candidate:
        return part.candidate.number
    if part.stable is None or part.previous is None:
        now = f"version {part.stable.number} is the first one" if part.stable else "nothing serves yet"
        raise ConflictError(f"{model} cannot be rolled back: {now}")
    if part.previous.content in part.refused:
        raise ConflictError(
            f"{model} cannot be rolled back: version {part.previous.number} was itself rolled back before; "
            f"version {part.stable.number} serves"
        )
    return part.stable.number


def adopted(folder: Path) -> GroupRecord | None:
    """The group's record, adopted first where it was lost; None where there never was one."""
    from ferryman.controller.group import ensure_group

    try:
        return known_group(folder)
    except UnavailableError:
        say("the group's record is lost; it is adopted from what its agents obeyed last")
    deadline = time.monotonic() + ADOPTION
    with ensure_group(folder, folder / "group.log") as attend:
        while time.monotonic() < deadline:
            with contextlib.suppress(UnavailableError):
                return known_group(folder)
            attend()
            time.sleep(0.1)
    return known_group(folder)
