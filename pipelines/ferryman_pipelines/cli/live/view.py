"""Where the live view is drawn: below the lines of finished steps, on a terminal; elsewhere there are the lines alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ferryman.artifacts.run_store import Run
from ferryman_pipelines.cli.live.drawing import lines
from ferryman_pipelines.cli.live.look import Watcher
from ferryman_pipelines.cli.output import say

if TYPE_CHECKING:
    from rich.console import Console, Group

A_SECOND = 4
"""Looks and drawings a second: more would take from the run what it shows."""


def wants_lines() -> bool:
    """Whether stderr shall get plain lines alone: it is no terminal, a poor one, or the user says so.

    Source: no-color.org (any text but an empty one).
    """
    return not sys.stderr.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") == "dumb"


@contextlib.contextmanager
def view(run: Run, *, plain: bool) -> Iterator[Callable[[str], None]]:
    """A function that prints a line for good; meanwhile what runs is drawn below, unless `plain`.

    The terminal is as it was when the block ends, however it ends; stdout is never touched.
    """
    if plain or wants_lines():
        yield say
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    drawing = Drawing(Watcher(run), console)
    with Live(
        console=console,
        get_renderable=drawing.draw,
        refresh_per_second=A_SECOND,
        transient=True,
        # What goes to stdout is the command's result: it must not be passed through the terminal.
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield lambda line: console.print(Text(line), soft_wrap=True)


class Drawing:
    """The live lines, drawn anew each time that they are asked for."""

    def __init__(self, watcher: Watcher, console: Console) -> None:
        self._watcher, self._console = watcher, console
        self._turn, self._lines = 0, [""]
        self._unicode = console.encoding.lower().startswith("utf")

    def draw(self) -> Group:
        """What can be seen now; what was seen last where that fails: a view must never end a run."""
        from rich.console import Group
        from rich.text import Text

        self._turn += 1
        with contextlib.suppress(OSError, ValueError):
            look = self._watcher.look()
            self._lines = lines(look, self._console.width, self._turn, unicode=self._unicode)
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in self._lines))
