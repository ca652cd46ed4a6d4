"""Metrics of the user's own: what a class must say of itself, and its numbers checked at every call."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final, Literal

import numpy as np

from ferryman.code.place import blaming, wrong

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Metric(ABC):
    """A metric of your own, in a spec e.g. `require: [{metric: "fraud.metrics:Cost", at_most: 3}]`.

    class Cost(ferryman.Metric):
        name, task, better, relative = "cost", "class", "lower", True

        def compute(self, target, answer):
            return float(np.mean(...))
    """

    name: ClassVar[str]
    """How reports and messages call it: lower case, digits and `_`; no built-in metric's name."""

    task: ClassVar[Literal["class", "number"]]
    """The kind of label that it judges."""

    better: ClassVar[Literal["higher", "lower"]]
    """Which way is better."""

    relative: ClassVar[bool] = False
    """Whether margins (`may_lose`) are fractions of the value that it is compared with; by default differences."""

    @abstractmethod
    def compute(self, target: np.ndarray, answer: np.ndarray) -> float:
        """One finite number for these rows; it is also called on resampled rows, for the interval.

        Classes: `target` int64 [n] holds class indexes, `answer` float [n, k] probabilities. Numbers: both float [n],
        in the label's unit.
        """


def check_declaration(metric: type[Metric]) -> None:
    """Refuse a class that does not say what it measures.

    Raises:
        UserCodeError: an attribute is missing or wrong.
    """
    what = f"the metric {metric.__name__}"
    name = getattr(metric, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong(metric, f"{what}: received name {name!r}, expected lower-case letters, digits and '_'")
    for field, known in (("task", ("class", "number")), ("better", ("higher", "lower")), ("relative", (True, False))):
        received = getattr(metric, field, None)
        if received not in known:
            raise wrong(metric, f"{what}: received {field} {received!r}, expected {' or '.join(map(repr, known))}")


def computing(metric: Metric) -> Callable[[np.ndarray, np.ndarray], float]:
    """The metric's `compute`, its errors and its answer checked."""
    kind = type(metric)

    def compute(target: np.ndarray, answer: np.ndarray) -> float:
        with blaming(kind.compute, f"the metric {kind.name} fails"):
            number = metric.compute(target, answer)
        if isinstance(number, bool) or not isinstance(number, float | int | np.floating | np.integer):
            raise wrong(kind.compute, f"the metric {kind.name} gives a {type(number).__name__}, expected one number")
        return float(number)

    return compute
