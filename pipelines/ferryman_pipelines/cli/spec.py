"""`ferryman spec`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferryman_pipelines.cli.options import spec_file
from ferryman_pipelines.cli.output import guarded, show_json

app = typer.Typer(
    help="Look at specs and at their format.\n\nExample: ferryman spec show pipelines/specs/mnist.yaml",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("schema")
@guarded
def schema() -> None:
    """Print the JSON Schema of specs, for editors and programs.

    Example: ferryman spec schema > spec.schema.json
    """
    from ferryman.spec import json_schema

    show_json(json_schema())


@app.command("show")
@guarded
def show(spec: Annotated[Path, typer.Argument(help="The spec to read.", metavar="SPEC")]) -> None:
    """Print a spec as JSON with every default, if it is right.

    Example: ferryman spec show pipelines/specs/mnist.yaml
    """
    from ferryman.spec import load_spec

    show_json(load_spec(spec_file(spec)).document())
