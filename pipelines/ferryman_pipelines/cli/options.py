"""Options that more than one command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferryman.spec import load_targets
from ferryman.spec.targets import Target, Targets
from ferryman_pipelines.cli.completion import group_names

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

USUAL_TARGETS = Path("targets.yaml")


def target_named(name: str, file: Path | None) -> Target:
    """The target of the targets file, `targets.yaml` where there is one; UsageError when there is none of that name."""
    return (load_targets(file) if file else usual_targets()).named(name)


def usual_targets() -> Targets:
    """The targets of `targets.yaml` where there is one, and the built-in ones."""
    return load_targets(USUAL_TARGETS if USUAL_TARGETS.exists() else None)
