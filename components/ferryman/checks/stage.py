"""Stages: checks one after the other, each with its time; one that fails stops only those that build on it."""

from __future__ import annotations

import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ferryman.artifacts.evidence import Evidence
from ferryman.checks.finding import STEP, Finding, error, from_error
from ferryman.checks.ground import Ground
from ferryman.errors import FerrymanError, UserCodeError
from ferryman.process import one_line

NEEDS: Final = {
    "spec": "a spec without mistakes",
    "data": "a block `data` without mistakes",
    "code": "a package that can be imported",
    "scan": "rows that can be read",
    "divided": "rows on each side of the split",
    "examples": "a sample of the rows",
    "server": "a server that starts",
    "training": "a fitted model",
    "model": "an exported model",
}
"""Field of the ground -> what it is, in words."""


@dataclass(frozen=True)
class Stage:
    """One check: it reads what earlier stages left on the ground, leaves its own there, and gives findings."""

    name: str
    check: Callable[[Ground], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    """Fields of the ground without which there is nothing to check."""


class Told(Evidence):
    """What is told of one stage."""

    stage: str
    state: Literal["begins", "done", "skipped"]
    seconds: float = 0.0
    headline: str = ""
    """One line for people: what was seen; why it was skipped."""

    findings: list[Finding] = []


def run_stages(stages: Sequence[Stage], ground: Ground) -> Iterator[Told]:
    """Run all stages that can be, telling each as it begins and ends."""
    for stage in stages:
        missing = [need for need in stage.needs if getattr(ground, need) is None]
        if missing:
            yield Told(stage=stage.name, state="skipped", headline=f"it needs {NEEDS[missing[0]]}")
            continue
        yield Told(stage=stage.name, state="begins")
        began = time.monotonic()
        ground.headline = ""
        findings = list(_findings(stage, ground))
        seconds = ground.seconds[stage.name] = round(time.monotonic() - began, 3)
        yield Told(stage=stage.name, state="done", seconds=seconds, headline=ground.headline, findings=findings)


def _findings(stage: Stage, ground: Ground) -> Iterator[Finding]:
    try:
        yield from stage.check(ground)
    except UserCodeError as failure:
        yield from_error(failure, advice=f"what your code printed is shown by: {_again(ground)}")
    except FerrymanError as failure:
        yield from_error(failure)
    except Exception as failure:
        # Whatever a model's own code raises; the log keeps the traceback.
        traceback.print_exc()
        yield error(stage.name, one_line(failure), f"the traceback, and what your code printed: {_again(ground)}", STEP)


def _again(ground: Ground) -> str:
    return f"ferryman --debug check {shlex.quote(ground.request.spec)}"
