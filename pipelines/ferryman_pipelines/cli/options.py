"""Options that more than one command has."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from ferryman.errors import UsageError
from ferryman.spec import load_targets
from ferryman.spec.targets import Target, Targets
from ferryman.storage.inputs import is_table
from ferryman_pipelines.cli.completion import group_names
from ferryman_pipelines.cli.output import program

Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="Set one field of train or model.", metavar="FIELD=VALUE")
]

TargetName = Annotated[str, typer.Option("--on", help="The target that it runs on.", metavar="TARGET")]

TargetsFile = Annotated[
    Path | None,
    typer.Option("--targets", help="The targets file.  [default: targets.yaml, if there is one]", metavar="FILE"),
]

ReleaseGroup = Annotated[
    str | None,
    typer.Option(
        "--group", help="The serving group to release to.  [default: the target's]", autocompletion=group_names
    ),
]

SPEC_ENDINGS = (".yaml", ".yml")
"""How the names of specs end."""

USUAL_TARGETS = Path("targets.yaml")


def spec_file(path: Path) -> Path:
    """A spec's file as it was typed.

    Raises:
        UsageError: it is a data file, or there is none of that name while there is one of a name like it.
    """
    if is_table(path.name):
        raise UsageError(f"{path} is a data file, expected a spec; try: {program()} init {path} --label COLUMN")
    if path.exists():
        return path
    endings = [path.with_name(f"{path.name}{ending}") for ending in SPEC_ENDINGS]
    specs = {entry.name: entry for ending in SPEC_ENDINGS for entry in path.parent.glob(f"*{ending}")}
    near = difflib.get_close_matches(path.name, specs, n=1, cutoff=0.6)
    meant = next((str(found) for found in endings if found.is_file()), None) or (str(specs[near[0]]) if near else None)
    raise UsageError(f"{path}: no such file{f'; did you mean {meant}?' if meant else ''}")


def target_named(name: str, file: Path | None) -> Target:
    """The target of the targets file, `targets.yaml` where there is one; UsageError when there is none of that name."""
    return load_targets(targets_file(file)).named(name)


def usual_targets() -> Targets:
    """The targets of `targets.yaml` where there is one, and the built-in ones."""
    return load_targets(targets_file(None))


def targets_file(named: Path | None) -> Path | None:
    """The targets file that counts: the one that was named, else `targets.yaml` where there is one."""
    return named or (USUAL_TARGETS if USUAL_TARGETS.exists() else None)
