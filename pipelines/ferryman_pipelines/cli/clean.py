"""`ferryman clean`: local state stays small, and nothing goes that anything names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.errors import UsageError
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, say, show, show_json, size_text

if TYPE_CHECKING:
    from ferryman_pipelines.upkeep.leftover import Leftover

KEEP = 5
"""Runs of each model that stay whole: what a person may still promote, resume or look into."""


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    keep: Annotated[int, typer.Option("--keep", help="Newest runs of each model that stay whole.", min=0)] = KEEP,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", help="Remove runs older than this with their records, e.g. 30d.", metavar="DURATION"
        ),
    ] = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")] = Format.text,
) -> None:
    """Remove what no run, release or version names any more.

    That is examples, models and work of old runs, unused inputs, wheels and dead versions.

    What serves, what a release that has not ended needs, and what a run at work reads stays. So do the records and
    reports of old runs, unless --older-than says otherwise, and inputs, wheels and torn files younger than a day.

    Example: ferryman clean --dry-run --keep 3 --older-than 30d
    """
    from ferryman_pipelines.upkeep.clean import leftovers

    place = home()
    found, notes = leftovers(place.folder, keep, _seconds(older_than), time.time())
    stays = {} if dry_run else {item.path: why for item in found if (why := item.remove())}
    freed = sum(item.size for item in found if item.path not in stays)
    if output is Format.json:
        show_json({"home": str(place.folder), "dry_run": dry_run, "bytes": freed, "items": _items(found, stays)})
    else:
        for item in found:
            why = f"; stays: {stays[item.path]}" if item.path in stays else ""
            show(f"{size_text(item.size):>9}  {item.path.relative_to(place.folder)}: {item.text}{why}")
        verb = "would free" if dry_run else "freed"
        show(f"{verb} {size_text(freed)} in {place.folder}" if found else f"nothing to remove in {place.folder}")
    for note in notes:
        say(note)


def _items(found: list[Leftover], stays: dict[Any, str]) -> list[dict[str, Any]]:
    return [
        {
            "kind": item.kind,
            "path": str(item.path),
            "bytes": item.size,
            "text": item.text,
            "stays": stays.get(item.path, ""),
        }
        for item in found
    ]


def _seconds(text: str | None) -> float | None:
    from ferryman.spec.units import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from error
