"""Counters, gauges and histograms that many threads feed, and their lines of the page that Prometheus reads."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

PENDING = 1000
"""Measures that wait until they are sorted in; about 0.5 ms of work."""

MOST = 10_000
"""Combinations of label values that a metric tells apart: a client may ask for any name, and each costs memory for good."""

LONGEST = 1024
"""Characters of a label value that is kept."""

OTHERS = "(others)"
"""What stands for the first label value of a combination beyond that."""

Cell = TypeVar("Cell")


class Metric(Generic[Cell]):
    """A cell for each combination of label values. `add` may be called from many threads, and takes none of them long:
    what it was told waits in a queue until somebody reads, or until there is much of it."""

    kind: str

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name, self.labels = name, tuple(labels)
        # One without labels is there from the start (`Counter<0>`).
        self._cells: dict[tuple[str, ...], Cell] = {} if labels else {(): self._empty()}
        self._pending: deque[tuple[tuple[str, ...], float]] = deque()
        self._lock = threading.Lock()

    def cells(self) -> dict[tuple[str, ...], Cell]:
        """All cells, in the order of their label values."""
        with self._lock:
            self._sort_in()
            return {key: self._copied(cell) for key, cell in sorted(self._cells.items())}

    def lines(self) -> Iterator[str]:
        """Its lines of the page."""
        for values, cell in self.cells().items():
            yield from self._lines(_pairs(self.labels, values), cell)

    def _put(self, values: tuple[str, ...], amount: float) -> None:
        if values and len(values[0]) > LONGEST:
            values = (OTHERS, *values[1:])
        self._pending.append((values, amount))
        if len(self._pending) > PENDING and self._lock.acquire(blocking=False):
            try:
                self._sort_in()
            finally:
                self._lock.release()

    def _sort_in(self) -> None:
        while self._pending:
            values, amount = self._pending.popleft()
            cell = self._cells.get(values)
            if cell is None and len(self._cells) >= MOST:
                values = (OTHERS, *values[1:])
                cell = self._cells.get(values)
            self._cells[values] = self._grown(self._empty() if cell is None else cell, amount)

    def _empty(self) -> Cell:
        raise NotImplementedError

    def _copied(self, cell: Cell) -> Cell:
        return cell

    def _grown(self, cell: Cell, amount: float) -> Cell:
        raise NotImplementedError

    def _lines(self, pairs: str, cell: Cell) -> Iterator[str]:
        raise NotImplementedError


class Counter(Metric[int]):
    """Numbers that only grow."""

    kind = "counter"

    def __init__(self, name: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, labels)

    def add(self, *values: str, by: int = 1) -> None:
        """Count `by` more at the label values, which come in the order of the labels."""
        self._put(values, by)

    def _empty(self) -> int:
        return 0

    def _grown(self, cell: int, amount: float) -> int:
        return cell + int(amount)

    def _lines(self, pairs: str, cell: int) -> Iterator[str]:
        yield f"{mangled(self.name)}{{{pairs}}} {cell}"


class Gauge(Counter):
    """A text for each combination of label values, of which the page tells only that it is there.

    Source: `util/prometheus_exporter.cc:SerializeScalar`, which writes a point's integer whatever its type.
    """

    kind = "gauge"

    def set(self, *values: str) -> None:
        """There is a text at the label values."""
        self._put(values, 0)


class Histogram(Metric[list[float]]):
    """How many measures fell into each bucket, and their sum at the end."""

    kind = "histogram"

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        super().__init__(name, labels)

    def add(self, *values: str, of: float) -> None:
        """One more measure `of` at the label values."""
        self._put(values, of)

    def _empty(self) -> list[float]:
        return [0.0] * (len(self.bounds) + 2)

    def _copied(self, cell: list[float]) -> list[float]:
        return cell.copy()

    def _grown(self, cell: list[float], amount: float) -> list[float]:
        # A measure that is a bound counts above it. Source: tsl/lib/histogram/histogram.cc, Histogram::Add.
        cell[bisect_right(self.bounds, amount)] += 1
        cell[-1] += amount
        return cell

    def _lines(self, pairs: str, cell: list[float]) -> Iterator[str]:
        """A bucket counts what is in the ones before, too."""
        name, before, seen = mangled(self.name), f"{pairs}," if pairs else "", 0
        for bound, count in zip([*map(_number, self.bounds), "+Inf"], cell[:-1], strict=True):
            seen += int(count)
            yield f'{name}_bucket{{{before}le="{bound}"}} {seen}'
        yield f"{name}_sum{{{pairs}}} {_number(cell[-1])}"
        yield f"{name}_count{{{pairs}}} {seen}"


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """`count` bounds from `scale` on, each `growth` times the one before (`monitoring::Buckets::Exponential`)."""
    bounds = [scale]
    while len(bounds) < count:
        bounds.append(bounds[-1] * growth)
    return tuple(bounds)


def mangled(name: str) -> str:
    """The name as the page writes it."""
    return re.sub("[^a-zA-Z0-9_]", ":", name)


def _pairs(labels: Sequence[str], values: Sequence[str]) -> str:
    return ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _escaped(value: str) -> str:
    # The real page leaves a newline as it is, and a model name can hold one: it must not begin a line of its own.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    # Six digits, as absl::StrCat writes a double.
    return f"{value:.6g}"
