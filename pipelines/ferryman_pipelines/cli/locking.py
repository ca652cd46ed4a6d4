"""`ferryman images lock`: which version of what stands in the images."""

from __future__ import annotations

from typing import Annotated

import typer

from ferryman.errors import UsageError
from ferryman_pipelines.cli.output import show


def lock(
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions that fit.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether they are up to date.")] = False,
) -> None:
    """Write components/locks of this checkout anew: one resolve of everything, then a lock with hashes for each image.

    Needed after a change of pyproject.toml's dependencies. Versions stay what they are while they fit.

    Example: ferryman images lock --upgrade
    """
    from ferryman_pipelines.images.locks import make_locks, stale
    from ferryman_pipelines.images.source import find_source

    # Where the running code lies: its requirements are locked, and its images are built.
    checkout = find_source().root
    if check:
        found = stale(checkout)
        if found:
            raise UsageError("\n".join([*found, "try: ferryman images lock"]))
        show("the locks are up to date")
        return
    for file in make_locks(checkout, upgrade=upgrade):
        show(str(file.relative_to(checkout)))
