"""The metrics, their intervals and the paired comparison, against hand-computed values, scikit-learn and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics

from ferryman.metrics import METRICS, worse_by
from ferryman.metrics.intervals import Difference, compare, exact_lower_bound, interval, rows_needed, wilson
from ferryman.metrics.scores import confusion_matrix, log_loss, per_class

TRUE = np.array([0, 0, 1, 1, 1, 2])
ANSWER = np.array(
    [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.2, 0.1, 0.7], [0.1, 0.2, 0.7]]
)


def drawn(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    answer = draw.dirichlet(np.ones(classes), rows)
    return draw.integers(0, classes, rows), answer


def test_hand_computed_classes() -> None:
    assert METRICS["accuracy"].compute(TRUE, ANSWER) == pytest.approx(4 / 6)
    expected = -np.mean(np.log([0.7, 0.2, 0.8, 0.6, 0.1, 0.7]))
    assert METRICS["log_loss"].compute(TRUE, ANSWER) == pytest.approx(expected)
    confusion = confusion_matrix(TRUE, ANSWER.argmax(axis=1), 3)
    assert confusion.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    found = per_class(confusion)
    assert found["precision"] == pytest.approx([1, 2 / 3, 1 / 2])
    assert found["recall"] == pytest.approx([1 / 2, 2 / 3, 1])
    assert found["rows"].tolist() == [2, 3, 1]


def test_hand_computed_numbers() -> None:
    true, answer = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 3.0])
    assert METRICS["rmse"].compute(true, answer) == pytest.approx(math.sqrt(10 / 3))
    assert METRICS["mae"].compute(true, answer) == pytest.approx(4 / 3)
    assert METRICS["r2"].compute(true, answer) == pytest.approx(1 - 10 / 14)


def test_scikit_learn_agrees() -> None:
    true, answer = drawn(500, 4, seed=3)
    predicted = answer.argmax(axis=1)
    assert METRICS["macro_f1"].compute(true, answer) == pytest.approx(
        sklearn.metrics.f1_score(true, predicted, average="macro")
    )
    assert METRICS["log_loss"].compute(true, answer) == pytest.approx(sklearn.metrics.log_loss(true, answer))
    draw = np.random.default_rng(4)
    target, value = draw.normal(5, 2, 300), draw.normal(5, 2, 300)
    assert METRICS["r2"].compute(target, value) == pytest.approx(sklearn.metrics.r2_score(target, value))
    assert METRICS["rmse"].compute(target, value) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(target, value)
    )


def test_a_class_that_nobody_names_counts_as_nothing_right() -> None:
    found = per_class(confusion_matrix(np.array([0, 0]), np.array([0, 0]), 2))
    assert found["f1"].tolist() == [1.0, 0.0]


def test_a_class_that_no_row_has_and_no_answer_names_counts_for_nothing() -> None:
    true = np.array([0, 0, 1, 1])
    answer = np.eye(3)[[0, 0, 1, 1]]
    assert METRICS["macro_f1"].compute(true, answer) == 1.0
    named = np.eye(3)[[0, 0, 1, 2]]
    expected = sklearn.metrics.f1_score(true, [0, 0, 1, 2], average="macro", zero_division=0)
    assert METRICS["macro_f1"].compute(true, named) == pytest.approx(expected)


def test_nothing_is_explained_of_a_label_without_variance() -> None:
    # The mean of a hundred times 0.1 is not 0.1.
    assert METRICS["r2"].compute(np.full(100, 0.1), np.linspace(0, 1, 100)) == 0.0


def test_a_sure_wrong_answer_costs_much_and_not_infinitely() -> None:
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize(
    ("metric", "candidate", "reference", "expected"),
    [
        ("accuracy", 0.9, 0.95, 0.05),
        ("accuracy", 0.95, 0.9, -0.05),
        ("r2", 0.5, 0.6, 0.1),
        ("rmse", 330.0, 300.0, 0.1),
        ("mae", 270.0, 300.0, -0.1),
        ("log_loss", 0.3, 0.2, 0.5),
        ("rmse", 1e-10, 1e-13, 999.0),
        ("rmse", 1e-30, 0.0, math.inf),
        ("rmse", 0.0, 0.0, 0.0),
    ],
)
def test_worse_is_positive_whichever_way_is_better(
    metric: str, candidate: float, reference: float, expected: float
) -> None:
    assert worse_by(metric, candidate, reference) == pytest.approx(expected)


def test_wilson_as_published() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263, 15 of 148, 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_an_interval_holds_the_value_and_is_the_same_each_time() -> None:
    true, answer = drawn(200, 3, seed=5)
    for metric in ("accuracy", "macro_f1", "log_loss"):
        low, high = interval(metric, true, answer)
        assert low < METRICS[metric].compute(true, answer) < high
        assert interval(metric, true, answer) == (low, high)


def right(share_gained: float, share_lost: float, rows: int, draw: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Target and two models' answers to two classes; on a drawn share only the first, or only the second, is right."""
    kind = draw.choice(3, rows, p=[share_gained, share_lost, 1 - share_gained - share_lost])
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    return np.zeros(rows, dtype=int), sure[(kind == 1).astype(int)], sure[(kind == 0).astype(int)]


@pytest.mark.parametrize(
    ("gained", "lost", "tries", "may_miss"), [(0.01, 0.02, 200, 20), (0.0, 0.01, 200, 20), (0.2, 0.25, 50, 8)]
)
def test_the_lower_bound_is_below_the_truth_nineteen_times_of_twenty(
    gained: float, lost: float, tries: int, may_miss: int
) -> None:
    draw = np.random.default_rng(11)
    truth = gained - lost
    bounds = [compare("accuracy", *right(gained, lost, 300, draw)).lower for _ in range(tries)]
    # At 5 %, more misses than these happen about once in a thousand.
    assert sum(bound > truth for bound in bounds) <= may_miss
    assert max(bounds) > truth - 0.08, "a bound that says nothing covers always"


def test_few_differing_rows_are_judged_exactly_and_many_by_resampling() -> None:
    draw = np.random.default_rng(2)
    few, many = compare("accuracy", *right(0.02, 0.02, 500, draw)), compare("accuracy", *right(0.3, 0.1, 500, draw))
    assert (few.method, many.method) == ("exact", "bootstrap")
    assert few.differing < 50 < many.differing


def test_swapped_models_swap_the_sign() -> None:
    target, one, other = right(0.1, 0.02, 400, np.random.default_rng(7))
    forward, backward = compare("accuracy", target, one, other), compare("accuracy", target, other, one)
    assert forward.difference == pytest.approx(-backward.difference)
    assert forward.difference > 0.03
    assert forward.lower > backward.lower


def test_equal_models_are_not_certain_to_be_equal() -> None:
    true, answer = drawn(1000, 3, seed=9)
    found = compare("accuracy", true, answer, answer)
    assert (found.difference, found.differing) == (0.0, 0)
    assert found.lower == pytest.approx(-0.0037, abs=5e-5)


@pytest.mark.parametrize("flipped", [0, 1, 24])
def test_few_differences_in_macro_f1_make_no_certainty(flipped: int) -> None:
    true, answer = drawn(300, 3, seed=9)
    other = answer.copy()
    other[:flipped] = np.roll(other[:flipped], 1, axis=1)
    found = compare("macro_f1", true, answer, other)
    assert found.difference == pytest.approx(found.candidate - found.champion)
    assert (found.candidate, found.champion) == tuple(METRICS["macro_f1"].compute(true, a) for a in (answer, other))
    # With the bootstrap of the rows alone the bound of two equal models is 0.
    assert found.lower < found.difference - 0.01


def test_a_smaller_error_is_better_by_a_fraction_of_the_champions() -> None:
    draw = np.random.default_rng(1)
    target = draw.normal(4000, 800, 300)
    found = compare("rmse", target, target + draw.normal(0, 200, 300), target + draw.normal(0, 400, 300))
    assert found.difference == pytest.approx(1 - found.candidate / found.champion)
    assert 0.4 < found.lower < found.difference < 0.6


@pytest.mark.parametrize(("gained", "lost", "rows"), [(0, 0, 10), (5, 5, 10), (0, 10, 10), (10, 0, 10)])
def test_the_exact_bound_stays_a_difference_of_shares(gained: int, lost: int, rows: int) -> None:
    assert -1 <= exact_lower_bound(gained, lost, rows) <= (gained - lost) / rows


def test_rows_needed_really_decide() -> None:
    found = Difference(0.90, 0.905, difference=-0.005, lower=-0.035, differing=30, method="exact")
    # The bound's distance 0.03 must shrink to 0.015: four times as many rows.
    assert rows_needed(found, may_lose=0.02, rows=250) == pytest.approx(1000, abs=1)
    assert rows_needed(found, may_lose=0.005, rows=250) is None


def test_a_bound_of_whole_rows_is_that_number_and_not_what_floats_make_of_it() -> None:
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    candidate, champion = np.zeros(400, dtype=int), np.zeros(400, dtype=int)
    place = np.random.default_rng(1).permutation(400)
    champion[place[:30]], candidate[place[30:60]] = 1, 1
    found = compare("accuracy", np.zeros(400, dtype=int), sure[candidate], sure[champion])
    assert found.lower == -12 / 400
