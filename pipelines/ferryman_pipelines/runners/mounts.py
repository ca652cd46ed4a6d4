"""What a step's container sees of this machine, each at its own path, so that a path means the same on both sides."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ferryman.storage.uri import local_path, scheme_of
from ferryman_pipelines.runners.request import RunRequest


def mounted(request: RunRequest, reads: Iterable[Path] = ()) -> list[str]:
    """The words of `docker create` for a run: its folder and the group's releases to write, all else to read."""
    group = Path(request.group)
    releases = group / "releases"
    # Nobody can make it below a folder that is mounted to be read.
    releases.mkdir(parents=True, exist_ok=True)
    return [
        *mount(request.folder, writable=True),
        *mount(group, writable=False),
        *mount(releases, writable=True),
        *(word for path in [*sorted(set(pinned(request.spec))), *reads] for word in mount(path, writable=False)),
    ]


def mount(path: Path, *, writable: bool) -> tuple[str, str]:
    """The words that show `path` in a container at its own place."""
    fields = ["type=bind", f"source={path}", f"target={path}", *([] if writable else ["readonly"])]
    # Docker reads the value as a line of CSV: a comma or a quote in a path needs it written as one.
    line = io.StringIO()
    csv.writer(line).writerow(fields)
    return "--mount", line.getvalue().removesuffix("\r\n")


def pinned(part: Any) -> Iterator[Path]:
    """The files of the input store that a spec names, wherever in it; one that is missing is left to its step to tell."""
    if isinstance(part, Mapping):
        if "sha256" in part and scheme_of(str(part.get("uri", ""))) == "file":
            path = local_path(str(part["uri"]))
            if path.is_file():
                yield path
        for value in part.values():
            yield from pinned(value)
    elif isinstance(part, list):
        for value in part:
            yield from pinned(value)
