"""The device contract in numbers: what a device computes against what the model in the server computes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ferryman.artifacts.evidence import Rung
from ferryman.artifacts.model_card import OUTPUTS, numbers
from ferryman.metrics import metric_named, worse_by
from ferryman.steps.convert.tensors import Tensors

FLOAT_BOUND = 1e-6
"""How far a float device tensor of the numpy reference may lie from `transform`: about eight float32 steps at 1."""


@dataclass(frozen=True)
class TransformGap:
    """How far the numpy reference of `preprocess.json` lies from the endpoint `transform`, over many rows."""

    ids_differ: int = 0
    """Integer elements (category ids, pixels) that are not equal."""

    largest: float = 0.0
    """Largest difference of a float element: absolute up to 1, relative to the value above. NaN where either is NaN.

    Normalised numbers lie round 1, where 1e-6 is a few steps of float32; an outlier at 5,000 has steps of 5e-4.
    """

    first: str = ""
    """The first break of the contract in words; empty while there is none."""

    @property
    def broken(self) -> bool:
        """Whether a device would feed the model other numbers than the server does."""
        return self.ids_differ > 0 or not self.largest <= FLOAT_BOUND or bool(self.first)

    def __add__(self, other: TransformGap) -> TransformGap:
        largest = float(np.maximum(self.largest, other.largest))  # unlike max(), NaN stays NaN whichever side it is on
        return TransformGap(self.ids_differ + other.ids_differ, largest, self.first or other.first)


def transform_gap(reference: Mapping[str, np.ndarray], transform: Mapping[str, np.ndarray]) -> TransformGap:
    """The gap over one batch of rows; both map device tensor -> [n, ...]."""
    gap = TransformGap()
    if reference.keys() != transform.keys():
        names = ", ".join(sorted(reference.keys() ^ transform.keys()))
        gap += TransformGap(first=f"only one of the two has the tensors {names}")
    for name in sorted(reference.keys() & transform.keys()):
        gap += _tensor_gap(name, np.asarray(reference[name]), np.asarray(transform[name]))
    return gap


def _tensor_gap(name: str, reference: np.ndarray, transform: np.ndarray) -> TransformGap:
    if reference.shape != transform.shape or reference.dtype != transform.dtype:
        received, expected = (f"{side.dtype}{list(side.shape)}" for side in (reference, transform))
        return TransformGap(first=f"{name}: the reference gives {received}, transform {expected}")
    if not reference.size:
        return TransformGap()
    if np.issubdtype(reference.dtype, np.floating):
        wide = reference.astype(np.float64)
        apart = np.abs(wide - transform) / np.maximum(1.0, np.abs(transform.astype(np.float64)))
        wrong, largest, differ = ~(apart <= FLOAT_BOUND), float(np.max(apart)), 0
    else:
        wrong, largest = reference != transform, 0.0
        differ = int(np.count_nonzero(wrong))
    if not wrong.any():
        return TransformGap(differ, largest)
    at = tuple(np.argwhere(wrong)[0])
    return TransformGap(differ, largest, f"{name}: the reference gives {reference[at]}, transform {transform[at]}")


@dataclass(frozen=True)
class Truth:
    """What the trained model says on the test split, and how the converted ones are measured against it."""

    metric: str
    may_lose: float
    target: np.ndarray
    """[n]: index of the class (int64) or the number (float64)."""

    served: np.ndarray
    """[n, k] probabilities or [n] values of `serving_default` on the raw rows."""

    core: Tensors
    """Outputs of `core` on the device tensors."""

    gap: TransformGap = field(default_factory=TransformGap)
    output: str = ""
    """The output of `core` that clients read; empty: the one that our own exports have."""

    @property
    def task(self) -> str:
        """`class` or `number`."""
        return metric_named(self.metric).task


@dataclass(frozen=True)
class Attempt:
    """One rung after its children ended: either answers or the reason why there are none."""

    name: str
    seconds: float
    reason: str = ""
    size_bytes: int | None = None
    answers: Tensors | None = None
    latency: float | None = None


def judge_rung(attempt: Attempt, truth: Truth) -> Rung:
    """One rung with its numbers: `kept`, `out_of_bounds` with every reason, or `failed`."""
    common = {
        "name": attempt.name,
        "seconds": attempt.seconds,
        "size_bytes": attempt.size_bytes,
        "latency": attempt.latency,
    }
    if attempt.answers is None:
        return Rung.model_validate({**common, "state": "failed", "reason": attempt.reason})
    output = truth.output or OUTPUTS[truth.task]
    different = _shapes_differ(attempt.answers, truth.core)
    if different:
        return Rung.model_validate({**common, "state": "failed", "reason": different})
    answer, core = (numbers(truth.task, tensors[output]) for tensors in (attempt.answers, truth.core))
    measured = _measured(answer, truth)
    reasons = _reasons(answer, measured["lost"], truth)
    return Rung.model_validate(
        {
            **common,
            **measured,
            "largest_difference": max_difference(attempt.answers, truth.core),
            "agreement": agreement(answer, core) if truth.task == "class" else None,
            "state": "out_of_bounds" if reasons else "kept",
            "reason": "; ".join(reasons),
        }
    )


def unusable(rung: Rung) -> str:
    """Why a rung cannot be used whatever the model learns; empty when it may be.

    Of a model that has learned nothing yet, what it loses in the metric says nothing.
    """
    if rung.state == "failed":
        return rung.reason
    return "; ".join(part for part in rung.reason.split("; ") if part and " lost " not in part)


def max_difference(answers: Tensors, expected: Tensors) -> float:
    """Largest absolute difference of any element of any output; NaN where either side is NaN."""
    apart = [np.abs(answers[name].astype(np.float64) - expected[name].astype(np.float64)) for name in expected]
    return float(np.max([np.max(part, initial=0.0) for part in apart]))


def agreement(answers: np.ndarray, expected: np.ndarray) -> float:
    """Share of rows [n, k] with the same most probable class; a row with NaN agrees with nothing."""
    finite = np.isfinite(answers).all(axis=1) & np.isfinite(expected).all(axis=1)
    return float(np.mean(finite & (answers.argmax(axis=1) == expected.argmax(axis=1))))


def _measured(answer: np.ndarray, truth: Truth) -> dict[str, float]:
    converted, trained = _score(answer, truth), _score(truth.served, truth)
    lost = worse_by(truth.metric, converted, trained) if np.isfinite([converted, trained]).all() else float("nan")
    return {"converted": converted, "trained": trained, "lost": lost}


def _score(answer: np.ndarray, truth: Truth) -> float:
    return (
        float(metric_named(truth.metric).compute(truth.target, answer)) if np.isfinite(answer).all() else float("nan")
    )


def _reasons(answer: np.ndarray, lost: float, truth: Truth) -> list[str]:
    reasons = []
    if truth.gap.broken:
        reasons.append(f"preprocess.json does not give the device tensors of transform ({describe(truth.gap)})")
    rows = answer.reshape(len(answer), -1)
    broken = int(np.count_nonzero(~np.isfinite(rows).all(axis=1)))
    if broken:
        reasons.append(f"{broken:,} of {len(answer):,} rows are answered with NaN or infinity")
    elif not lost <= truth.may_lose:
        reasons.append(f"{metric_named(truth.metric).name} lost {lost:.4f}, may lose {truth.may_lose:g}")
    return reasons


def describe(gap: TransformGap) -> str:
    """A gap in words, with the numbers that break their bounds."""
    parts = [gap.first] if gap.first else []
    parts += [f"{gap.ids_differ:,} ids differ, bound 0"] if gap.ids_differ else []
    parts += [] if gap.largest <= FLOAT_BOUND else [f"largest difference {gap.largest:.3g}, bound {FLOAT_BOUND:g}"]
    return "; ".join(parts)


def _shapes_differ(answers: Tensors, expected: Tensors) -> str:
    for name, tensor in expected.items():
        if name not in answers or answers[name].shape != tensor.shape:
            received = list(answers[name].shape) if name in answers else "nothing"
            return f"output {name}: received {received}, expected {list(tensor.shape)}"
    return ""
