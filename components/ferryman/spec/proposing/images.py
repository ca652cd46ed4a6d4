"""Images among the columns: many neighbours that all hold whole numbers of a pixel's range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from ferryman.spec.proposing.cells import WHOLE
from ferryman.spec.proposing.survey import Column

SMALLEST: Final = 64
"""Fewer columns than those of 8 x 8 pixels are no picture that anybody would take."""

SCALES: Final = (1, 16, 255)
"""The largest values that pixels have: black and white, scikit-learn's digits, 8 bits."""


@dataclass(frozen=True)
class Image:
    """Neighbouring columns that are taken for the pixels of one image."""

    first: int
    last: int
    side: int
    """Pixels of a side: only squares can be known without being told."""

    channels: int
    scale: int


@dataclass(frozen=True)
class Pixels:
    """Neighbouring columns that look like pixels, but whose height and width nobody can know."""

    first: int
    last: int


def find_images(columns: Sequence[Column], label: int) -> list[Image | Pixels]:
    """What looks like images among the columns, the label's aside."""
    found: list[Image | Pixels] = []
    for run in _runs(columns, label):
        first, last, scale = run[0].position, run[-1].position, _scale(run)
        shape = _square(len(run))
        found.append(Image(first, last, *shape, scale) if shape else Pixels(first, last))
    return found


def _runs(columns: Sequence[Column], label: int) -> Iterator[list[Column]]:
    """Long runs of neighbours that could be pixels; where columns have names, these differ in their digits alone."""
    for (_, pixels), run in groupby(columns, lambda column: (_family(column), _is_pixel(column, label))):
        neighbours = list(run)
        if pixels and len(neighbours) >= SMALLEST:
            yield neighbours


def _family(column: Column) -> str:
    return re.sub(r"\d+", "", column.name) if isinstance(column.name, str) else ""


def _is_pixel(column: Column, label: int) -> bool:
    whole = column.count(*WHOLE) == column.rows
    return column.position != label and whole and column.minimum >= 0 and column.maximum <= SCALES[-1]


def _scale(run: Sequence[Column]) -> int:
    largest = max(column.maximum for column in run)
    return next(scale for scale in SCALES if largest <= scale)


def _square(cells: int) -> tuple[int, int] | None:
    """Side and channels of a square image with so many cells; None when there is none."""
    for channels in (1, 3):
        side = math.isqrt(cells // channels)
        if side * side * channels == cells:
            return side, channels
    return None
