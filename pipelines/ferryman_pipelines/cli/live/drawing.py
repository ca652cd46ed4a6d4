"""A look at a run as lines of text that fit a terminal. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from ferryman.artifacts.progress import StepProgress
from ferryman_pipelines.cli.live.look import AtWork, Look

BARS = "▁▂▃▄▅▆▇█"
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_SPINNER = "|/-\\"
"""For terminals whose encoding has no others."""

LONGEST_CURVE = 40
"""Characters: a longer one says no more."""

INDENT = "    "


def lines(look: Look, width: int, turn: int, *, unicode: bool = True) -> list[str]:
    """Every step at work with its numbers, then the whole run; `turn` counts the looks, so that something moves."""
    frames = SPINNER if unicode else PLAIN_SPINNER
    mark = frames[turn % len(frames)]
    drawn = [line for step in look.steps for line in _step(step, mark, width, unicode)]
    return [*drawn, *_wrapped(_head(mark, "whole run", look.seconds), _memory(look.memory), width)]


def curve(values: Sequence[float], room: int) -> str:
    """`values` as at most `room` bars from the least to the greatest; where there are more, each is a mean of some."""
    finite = [value for value in values if math.isfinite(value)]
    bars = min(len(finite), room)
    if bars <= 0:
        return ""
    edges = [len(finite) * bar // bars for bar in range(bars + 1)]
    shown = [fmean(finite[start:end]) for start, end in pairwise(edges)]
    low, high = min(shown), max(shown)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in shown)


def watched(numbers: Sequence[dict[str, float]]) -> list[str]:
    """The two numbers of an epoch that are drawn: the loss, and the metric of the validation split beside it."""
    names = list(numbers[-1]) if numbers else []
    own = [name for name in names if not name.startswith("validation_")]
    validation = sorted((name for name in names if name not in own), key="validation_loss".__eq__)
    return [*(["loss"] if "loss" in own else own[:1]), *validation[:1]]


def _step(step: AtWork, mark: str, width: int, unicode: bool) -> Iterator[str]:
    parts = [*(_pace(step.step, step.progress) if step.progress else ()), *_memory(step.memory)]
    yield from _wrapped(_head(mark, step.step, step.seconds), parts, width)
    numbers = step.progress.numbers if step.progress else []
    names = watched(numbers)
    longest = max((len(name) for name in names), default=0)
    for name in names:
        values = [entry[name] for entry in numbers if name in entry]
        text = f"{INDENT}{name.replace('_', ' '):<{longest}}  {values[-1]:<10,.4g}"
        yield f"{text}{curve(values, min(LONGEST_CURVE, width - len(text) - 1))}" if unicode else text.rstrip()


def _pace(step: str, progress: StepProgress) -> Iterator[str]:
    if progress.epochs:
        yield f"epoch {progress.epoch} of {progress.epochs}"
        if progress.epoch and progress.seconds > 0:
            yield f"{progress.rows * progress.epoch / progress.seconds:,.0f} rows/s"
    elif progress.rows:
        yield f"{progress.rows:,} rows"


def _memory(size: int) -> list[str]:
    return [f"{size / 1e6:,.0f} MB"] if size else []


def _head(mark: str, name: str, seconds: float) -> str:
    """Aligned with the lines of finished steps."""
    return f"{mark} {name:<14}{seconds:6.1f} s  "


def _wrapped(head: str, parts: Sequence[str], width: int) -> list[str]:
    """The parts behind the head, those without room there on lines of their own."""
    drawn = [head]
    for part in parts:
        begun = drawn[-1].strip() and drawn[-1] not in (head, INDENT)
        longer = f"{drawn[-1]}{', ' if begun else ''}{part}"
        # A terminal that is written to its last column may begin a new line by itself.
        if len(longer) < width:
            drawn[-1] = longer
        else:
            drawn.append(f"{INDENT}{part}")
    return [line.rstrip() for line in drawn]
