"""`ferryman images`: the images that steps run in."""

from __future__ import annotations

import typer

from ferryman_pipelines.cli import locking
from ferryman_pipelines.cli.output import guarded

app = typer.Typer(help="The images that steps run in.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def images() -> None:
    """The images that steps run in."""


app.command("lock")(guarded(locking.lock))
