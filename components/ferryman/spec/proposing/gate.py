"""The gate's bounds for a label and so many test rows, each with the reason that its comment gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ferryman.metrics.power import expected_value, guessed_rivals, often, power
from ferryman.spec.proposing.bounds import (
    IMBALANCED,
    beats_majority,
    beats_majority_f1,
    beats_mean,
    champion_accuracy,
    champion_rmse,
    converted_accuracy,
)
from ferryman.spec.proposing.labels import LabelPlan
from ferryman.spec.proposing.words import percent


@dataclass(frozen=True)
class Bound:
    """A block of the gate, and how its number came about."""

    block: dict[str, Any]
    why: str


def requirement(label: LabelPlan, rows: int) -> Bound:
    """What a candidate must reach alone: surely more than an answer that knows nothing."""
    if label.kind == "number":
        return Bound(
            {"metric": "r2", "at_least": beats_mean(rows)},
            f"Always answering the mean has r2 0, a perfect model 1; on {rows:,} test rows this is surely better than the "
            "mean (1.64 standard errors of a root mean square).",
        )
    always = f"Always answering the most frequent class is right in {percent(label.majority)} of the rows"
    if label.majority >= IMBALANCED:
        return Bound(
            {"metric": "macro_f1", "at_least": beats_majority_f1(label.majority, label.classes, rows)},
            f"{always}, so the mean F1 over all classes says more; on {rows:,} test rows this is surely better than that "
            "answer's.",
        )
    return Bound(
        {"metric": "accuracy", "at_least": beats_majority(label.majority, rows)},
        f"{always}; on {rows:,} test rows this is surely better (the upper end of that answer's 95 % interval).",
    )


def champion(label: LabelPlan, rows: int) -> Bound:
    """What a candidate may lose against what serves."""
    metric, may_lose, unit = "rmse", champion_rmse(rows), "a fraction of its error"
    if label.kind == "class":
        metric, may_lose, unit = "accuracy", champion_accuracy(label.majority, rows), "a share of the rows"
    required = requirement(label, rows).block
    expected = expected_value(metric, {required["metric"]: required["at_least"]})
    # As `ferryman check` says it, by the same estimate.
    chance = often(power(guessed_rivals(metric, expected), rows, may_lose))
    return Bound(
        {"metric": metric, "may_lose": may_lose},
        f"Against what serves then, {unit}: with {rows:,} test rows an equally good model is promoted {chance}; more rows "
        "allow less.",
    )


def converted(label: LabelPlan, rows: int) -> Bound:
    """What the TFLite file may lose against the trained model."""
    if label.kind == "number":
        return Bound({"metric": "rmse", "may_lose": 0.05}, "what the TFLite file may lose: 5 % of the error")
    lost = converted_accuracy(rows)
    points = "half a point" if lost == 0.005 else "1 point" if lost == 0.01 else f"{100 * lost:.3g} points"
    few = f", {math.floor(lost * rows + 1e-9)} of {rows:,} test rows" if lost > 0.005 else ""
    return Bound({"metric": "accuracy", "may_lose": lost}, f"what the TFLite file may lose: {points}{few}")
