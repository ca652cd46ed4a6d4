"""Bounds that the rows can support, against simulation with the very functions that evaluate and gate use."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman.metrics.intervals import compare
from ferryman.metrics.scores import macro_f1, r2
from ferryman.spec.proposing import bounds
from ferryman.spec.proposing.gate import converted
from ferryman.spec.proposing.labels import LabelPlan


def answers(right: np.ndarray) -> np.ndarray:
    """Probabilities [n, 2] of a model that is right (the class is 0) where `right` says so."""
    return np.stack([right, ~right], axis=1).astype(float)


@pytest.mark.parametrize(("rows", "share"), [(90, 0.5), (206, 0.6), (400, 0.9)])
def test_an_equally_good_model_is_promoted_about_nine_times_in_ten(rows: int, share: float) -> None:
    draw = np.random.default_rng(1)
    margin, target = bounds.champion_accuracy(share, rows), np.zeros(rows, dtype=int)
    promoted = 0
    for _ in range(100):
        # On a tenth of the rows (or what the majority leaves) exactly one of the two is right.
        differ = draw.random(rows) < min(0.1, 1 - share)
        first = draw.random(rows) < 0.5
        found = compare("accuracy", target, answers(~differ | first), answers(~differ | ~first))
        promoted += found.lower >= -margin
    assert promoted / 100 >= 0.85
    # No wider than it has to be: a model that is worse by the margin is hardly ever promoted.
    assert margin < 0.2


@pytest.mark.slow
def test_a_margin_on_many_rows_agrees_with_the_bootstrap() -> None:
    draw = np.random.default_rng(2)
    rows = 2_000
    margin, target = bounds.champion_accuracy(0.5, rows), np.zeros(rows, dtype=int)
    promoted = 0
    for _ in range(25):
        differ, first = draw.random(rows) < 0.1, draw.random(rows) < 0.5
        promoted += compare("accuracy", target, answers(~differ | first), answers(~differ | ~first)).lower >= -margin
    assert promoted >= 20


def test_more_rows_allow_less() -> None:
    rows = [30, 100, 300, 1_000, 10_000, 100_000]
    for margins in (
        [bounds.champion_accuracy(0.5, number) for number in rows],
        [bounds.champion_rmse(number) for number in rows],
        [bounds.beats_mean(number) for number in rows],
        [bounds.beats_majority(0.6, number) - 0.6 for number in rows],
        [bounds.converted_accuracy(number) for number in rows],
    ):
        assert margins == sorted(margins, reverse=True)
        assert 0 < margins[-1] < margins[0] <= 0.5


def test_knowing_nothing_hardly_ever_passes() -> None:
    draw = np.random.default_rng(3)
    lucky = {"majority": 0, "f1": 0, "mean": 0}
    for _ in range(500):
        target = (draw.random(300) < 0.4).astype(int)
        lucky["majority"] += np.mean(target == 0) >= bounds.beats_majority(0.6, 300)
        rare = (draw.random(300) < 0.1).astype(int)
        lucky["f1"] += macro_f1(rare, answers(np.ones(300, dtype=bool))) >= bounds.beats_majority_f1(0.9, 2, 300)
        numbers = draw.normal(5, 2, 300)
        lucky["mean"] += r2(numbers, np.full(300, 5.0)) >= bounds.beats_mean(300)
    assert max(lucky.values()) <= 25


def test_bounds_can_be_reached() -> None:
    assert bounds.beats_majority(0.79, 9) <= 0.999
    assert bounds.beats_majority_f1(0.99, 2, 9) <= 0.95
    assert bounds.beats_mean(9) <= 0.9
    assert bounds.champion_accuracy(0.5, 9) <= 0.5


@pytest.mark.parametrize(
    ("rows", "said"),
    [(60, "5 points, 3 of 60 test rows"), (300, "1 point, 3 of 300 test rows"), (5000, "half a point")],
)
def test_what_a_conversion_may_lose_is_said_as_it_is_written(rows: int, said: str) -> None:
    bound = converted(LabelPlan("class", "", False, 5 * rows, 0.5, 2, rows), rows)
    assert bound.why == f"what the TFLite file may lose: {said}"
