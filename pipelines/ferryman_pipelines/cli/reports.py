"""`ferryman runs open`."""

from __future__ import annotations

import contextlib
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ferryman.artifacts.made import made
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError, UsageError
from ferryman_pipelines.cli.output import Format, say, show, show_json
from ferryman_pipelines.cli.runs import Output, find_run, wanted


def open_(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The run's id, or `last`.", metavar="RUN")],
    output: Output = Format.text,
) -> None:
    """Open a run's reports in the browser; print where they lie.

    Example: ferryman runs open last
    """
    found = find_run(run)
    pages = reports(found)
    if not pages:
        raise UsageError(f"run {found.id} has no report: none of its steps that write one has ended well")
    if wanted(context, output) is Format.json:
        show_json([str(page) for page in pages])
    else:
        show("\n".join(map(str, pages)))
    # All of them: a person who has a browser gets every page.
    if not all([_opened(page) for page in pages]):
        say("there is no browser here that could be started: open the file in one, or copy it to where there is one")


def reports(run: Run) -> list[Path]:
    """The HTML pages in the artifacts that the run's record names, in the order of the steps."""
    pages: list[Path] = []
    for fragment in run.fragments():
        for kind in fragment.outputs:
            with contextlib.suppress(ArtifactError):
                pages += sorted(made(run, kind).glob("*.html"))
    return list(dict.fromkeys(pages))


def _opened(page: Path) -> bool:
    try:
        return webbrowser.open(page.as_uri())
    except (webbrowser.Error, OSError):
        return False
