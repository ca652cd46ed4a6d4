"""`ferryman doctor`: what works here and what does not, with the fix."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ferryman.errors import UnavailableError
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, show, show_json


def doctor(
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print what was found.")] = Format.text,
) -> int:
    """Look whether ferryman can work here, and how to mend it.

    It looks at versions, disk, package index, programs, ports, groups and locks.

    It installs and writes nothing. Exit code 0 when runs can work on this machine (warnings do not count), 7 otherwise.

    Example: ferryman doctor
    """
    from ferryman_pipelines.upkeep.doctor import look

    found = list(look(home().folder))
    fails = sum(finding.state == "fail" for finding in found)
    if output is Format.json:
        show_json({"ok": not fails, "findings": [asdict(finding) for finding in found]})
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            show(f"{finding.state:<4}  {finding.name:<{width}}  {finding.text}")
            if finding.fix:
                show(f"{'':<4}  {'':<{width}}  -> {finding.fix}")
        show("\nferryman can run here" if not fails else f"\nferryman cannot run here: {fails} to mend, see `fail`")
    return UnavailableError.exit_code if fails else 0
