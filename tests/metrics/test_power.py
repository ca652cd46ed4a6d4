"""The estimated power against simulated retrainings that the gate's own comparison judges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ferryman.metrics import METRICS
from ferryman.metrics.intervals import Z_ONE_SIDED, compare
from ferryman.metrics.power import Rivals, guessed_rivals, margin_for, measured_rivals, power, rows_for

RIGHT_OR_WRONG = np.array([[0.9, 0.1], [0.1, 0.9]])
"""Answers to two rows of class 0: right, wrong."""


def lower_bound(rows: int, gained: int, lost: int) -> float:
    """As evaluate finds it, for a candidate that alone is right on `gained` rows, and alone is wrong on `lost`."""
    candidate, champion = np.zeros(rows, dtype=int), np.zeros(rows, dtype=int)
    # Anywhere: the bootstrap always draws the same rows, and the first ones would share one luck.
    place = np.random.default_rng([gained, lost]).permutation(rows)
    champion[place[:gained]], candidate[place[gained : gained + lost]] = 1, 1
    target = np.zeros(rows, dtype=int)
    return compare("accuracy", target, RIGHT_OR_WRONG[candidate], RIGHT_OR_WRONG[champion]).lower


def promoted_share(rows: int, differing: float, may_lose: float, retrainings: int = 1000) -> float:
    """How many of so many equally good retrainings the gate would promote."""
    draw = np.random.default_rng(4)
    # Rows are alike to the bound: equal counts are judged once.
    known: dict[tuple[int, int], bool] = {}
    promoted = 0
    for _ in range(retrainings):
        gained, lost, _ = map(int, draw.multinomial(rows, [differing / 2, differing / 2, 1 - differing]))
        if (gained, lost) not in known:
            known[gained, lost] = lower_bound(rows, gained, lost) >= -may_lose
        promoted += known[gained, lost]
    return promoted / retrainings


@pytest.mark.parametrize(
    ("rows", "differing", "may_lose"),
    [(998, 0.0185, 0.02), (998, 0.0185, 0.01), (300, 0.1, 0.05), (103, 0.006, 0.05)],
)
def test_a_thousand_retrainings_are_promoted_as_often_as_estimated(
    rows: int, differing: float, may_lose: float
) -> None:
    estimated = power(Rivals("accuracy", differing), rows, may_lose)
    assert estimated == pytest.approx(promoted_share(rows, differing, may_lose), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "differing", "may_lose"),
    [(150, 0.5, 0.1), (120, 0.6, 0.06), (400, 0.15, 0.03), (400, 0.15, 0.05), (600, 0.08, 0.02)],
)
def test_it_agrees_too_where_many_rows_differ_and_the_bound_is_resampled(
    rows: int, differing: float, may_lose: float
) -> None:
    estimated = power(Rivals("accuracy", differing), rows, may_lose)
    assert estimated == pytest.approx(promoted_share(rows, differing, may_lose), abs=0.05)


def test_above_fifty_differing_rows_the_resampled_bound_turns_where_the_estimate_says() -> None:
    from ferryman.metrics.power import _turning_point

    (turning,) = _turning_point(np.array([64]), 200, 0.05).tolist()
    assert lower_bound(200, turning - 3, 64 - turning + 3) < -0.05 <= lower_bound(200, turning + 3, 64 - turning - 3)


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "may_lose"), [("rmse", 0.05), ("mae", 0.04)])
def test_two_equally_good_regressions_are_promoted_as_often_as_estimated(metric: str, may_lose: float) -> None:
    draw = np.random.default_rng(8)
    promoted = 0
    for _ in range(1000):
        errors = draw.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], size=120)
        target = np.zeros(120)
        promoted += compare(metric, target, errors[:, 0], errors[:, 1]).lower >= -may_lose
    assert power(guessed_rivals(metric, 1.0), 120, may_lose) == pytest.approx(promoted / 1000, abs=0.05)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_the_guessed_spread_of_a_regression_is_that_of_normal_errors(metric: str) -> None:
    draw = np.random.default_rng(5)
    target = draw.normal(0, 2, 1000)
    values = []
    for _ in range(400):
        errors = draw.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], size=1000)
        one, other = (METRICS[metric].compute(target, target + errors[:, side]) for side in (0, 1))
        values.append((one - other) / (other if METRICS[metric].relative else 1))
    spread = guessed_rivals(metric, 0.75).spread
    assert spread == pytest.approx(np.std(values) * math.sqrt(1000), rel=0.15)


def test_macro_f1_moves_as_accuracy_does_where_classes_are_equal_and_more_where_one_is_rare() -> None:
    accuracy = guessed_rivals("accuracy", 0.9).spread
    equal, rare = (guessed_rivals("macro_f1", 0.9, shares).spread for shares in ([0.25] * 4, [0.97, 0.01, 0.01, 0.01]))
    assert equal == pytest.approx(math.sqrt(accuracy))
    assert rare > 2 * equal


def test_more_rows_and_a_wider_margin_promote_more_often() -> None:
    rivals = Rivals("accuracy", 0.03)
    by_rows = [power(rivals, rows, 0.01) for rows in (200, 2_000, 20_000)]
    by_margin = [power(rivals, 500, margin) for margin in (0.005, 0.02, 0.08)]
    assert by_rows == sorted(by_rows)
    assert by_margin == sorted(by_margin)
    assert by_rows[0] < 0.1 < 0.99 < by_rows[-1]


def test_the_rows_and_the_margin_that_are_named_do_give_the_power() -> None:
    for rivals in (Rivals("accuracy", 0.0185), Rivals("rmse", 0.3)):
        rows, margin = rows_for(rivals, 0.01), margin_for(rivals, 998)
        assert rows is not None
        assert margin is not None
        assert power(rivals, rows, 0.01) == pytest.approx(0.8, abs=0.05)
        assert power(rivals, 998, margin) == pytest.approx(0.8, abs=0.05)


def test_a_margin_of_nothing_is_supported_by_no_number_of_rows() -> None:
    assert rows_for(Rivals("rmse", 0.3), 0.0) is None
    assert power(Rivals("rmse", 0.3), 10_000, 0.0) == pytest.approx(0.05, abs=0.001)


def test_two_rows_cannot_show_anything() -> None:
    assert margin_for(Rivals("rmse", 0.9), 1) is None


def test_what_two_real_models_showed_counts_instead_of_a_guess() -> None:
    few = measured_rivals("accuracy", 998, 18, difference=0.0, lower=-0.012)
    assert few.spread == pytest.approx(19 / 998)
    assert few.measured
    wide = measured_rivals("rmse", 400, 400, difference=0.01, lower=0.01 - Z_ONE_SIDED * 0.02)
    assert wide.spread == pytest.approx(0.4)
