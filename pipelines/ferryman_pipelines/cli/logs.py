"""`ferryman runs logs`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ferryman.artifacts.run_store import Run
from ferryman.errors import UsageError
from ferryman.problems import nearest
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.cli.completion import run_ids, step_names
from ferryman_pipelines.cli.output import say, show
from ferryman_pipelines.cli.runs import find_run

PAUSE = 0.2
"""Seconds between two looks at the logs: a person cannot tell it from at once."""

BEGINNING = 5.0
"""Seconds in which a run that was just asked for has somebody who runs it."""

_STYLE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")
"""What only a terminal understands. Source: ECMA-48, sections 5.4 and 5.6."""


def logs(
    run: Annotated[str, typer.Argument(help="The run's id, or `last`.", metavar="RUN", autocompletion=run_ids)],
    step: Annotated[
        str | None,
        typer.Argument(
            help="One step, or `orchestrator`.", metavar="[STEP]", show_default=False, autocompletion=step_names
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what a run's steps wrote, or one step alone.

    Of all steps each line stands after the step's name.

    Example: ferryman runs logs last train -f
    """
    found = find_run(run)
    names = [_checked(found, step, follow)] if step else list(STEPS)
    width = max(map(len, STEPS))
    for name, line in told(found, names, follow=follow):
        show(line if step else f"{name:<{width}}  {line}")
    if not any(_log(found, name).exists() for name in names):
        others = ", ".join(written(found)) or "nobody"
        say(f"run {found.id}: {step or 'no step'} has written nothing; {others} has")


def told(run: Run, names: list[str], *, follow: bool) -> Iterator[tuple[str, str]]:
    """(step, line) of the logs: one after the other as far as they are; with `follow` then each line as it comes."""
    tails = {name: Tail(_log(run, name)) for name in names}
    while True:
        # Asked first: what is written after the last look at the logs was written before the run's end.
        goes_on = follow and _goes_on(run)
        for name, tail in tails.items():
            yield from ((name, line) for line in tail.lines(last=not goes_on))
        if not goes_on:
            return
        time.sleep(PAUSE)


class Tail:
    """A log that may grow."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._rest = path, 0, b""

    def lines(self, *, last: bool) -> Iterator[str]:
        """The lines since the last call; one that has no end yet comes when it has one, or with the `last` call."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._at)
            for line in file:
                self._rest += line
                if line.endswith(b"\n"):
                    yield from self._whole()
            self._at = file.tell()
        if last and self._rest:
            yield from self._whole()

    def _whole(self) -> Iterator[str]:
        line, self._rest = self._rest, b""
        yield plain(line)


def plain(line: bytes) -> str:
    """A line as any terminal or file can take it: no colours, no moves of the cursor; of a progress bar its last state."""
    text = _STYLE.sub("", line.decode("utf-8", errors="replace")).rstrip("\r\n").rpartition("\r")[2]
    return "".join(character for character in text if character.isprintable() or character == "\t")


def written(run: Run) -> list[str]:
    """The names of the logs that a run has: its steps in their order, then the others."""
    names = {path.stem for path in (run.folder / "logs").glob("*.log")}
    return [*(step for step in STEPS if step in names), *sorted(names - {*STEPS})]


def _checked(run: Run, step: str, follow: bool) -> str:
    """The log's name as it is written; UsageError when there is none, nor will be."""
    name, known = step.replace("-", "_"), written(run)
    if name in known or (follow and name in STEPS):
        return name
    if name in STEPS:
        raise UsageError(f"{name} has written nothing in run {run.id}; {', '.join(known) or 'nobody'} has")
    raise UsageError(f"run {run.id} has no step {step!r}{nearest(step, [*STEPS, *known])}")


def _log(run: Run, name: str) -> Path:
    return run.folder / "logs" / f"{name}.log"


def _goes_on(run: Run, now: Callable[[], float] = time.time) -> bool:
    """Whether somebody runs it, or may be just about to."""
    if run.at_work():
        return True
    request = run.folder / "request.json"
    just_asked_for = request.exists() and now() - request.stat().st_mtime < BEGINNING
    return just_asked_for and run.end() is None and not run.fragments()
