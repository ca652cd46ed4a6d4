from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferryman.artifacts.evidence import Rung, smallest_kept
from ferryman.steps.convert.contract import (
    Attempt,
    TransformGap,
    Truth,
    agreement,
    judge_rung,
    max_difference,
    transform_gap,
)

IDS = {"island": np.array([2, 3, 1], np.int32)}
MASS = {"mass": np.array([0.5, -0.25, 3.0], np.float32)}


def probabilities(classes: list[int], rows: int = 10, of: int = 3) -> np.ndarray:
    answer = np.full((rows, of), 0.1, np.float32)
    answer[np.arange(rows), classes] = 0.8
    return answer


TARGET = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
RIGHT = probabilities(list(TARGET))
ONE_WRONG = probabilities([1, *TARGET[1:]])
TRUTH = Truth("accuracy", 0.05, TARGET, served=RIGHT, core={"probabilities": RIGHT})


def attempt(answer: np.ndarray, name: str = "int8", size: int = 500) -> Attempt:
    return Attempt(name, seconds=1.5, size_bytes=size, answers={"probabilities": answer}, latency=0.002)


def test_equal_tensors_leave_no_gap() -> None:
    gap = transform_gap(IDS | MASS, IDS | MASS)
    assert (gap.ids_differ, gap.largest, gap.broken) == (0, 0.0, False)


def test_every_differing_id_is_counted_and_the_first_one_named() -> None:
    gap = transform_gap({"island": np.array([2, 2, 4], np.int32)}, IDS)
    assert (gap.ids_differ, gap.broken) == (2, True)
    assert gap.first == "island: the reference gives 2, transform 3"


def test_a_float_one_step_away_is_no_gap_and_a_visible_one_is() -> None:
    close = {"mass": np.nextafter(MASS["mass"], np.float32(9))}
    far = {"mass": MASS["mass"] + np.array([0, 5e-6, 0], np.float32)}
    assert not transform_gap(close, MASS).broken
    gap = transform_gap(far, MASS)
    assert gap.broken
    assert gap.largest == pytest.approx(5e-6, rel=0.02)


def test_an_outlier_is_measured_relative_to_its_size_because_float32_has_no_finer_steps_there() -> None:
    outlier = {"mass": np.array([5000.0], np.float32)}
    next_step = {"mass": np.nextafter(outlier["mass"], np.float32(1e9))}
    assert not transform_gap(next_step, outlier).broken
    assert transform_gap({"mass": np.array([5000.05], np.float32)}, outlier).broken


@pytest.mark.parametrize("sides", [(np.nan, 1.0), (1.0, np.nan), (np.nan, np.nan), (np.inf, 1.0)])
def test_nan_breaks_the_contract_on_either_side(sides: tuple[float, float]) -> None:
    reference, transform = ({"mass": np.array([0.5, side], np.float32)} for side in sides)
    assert transform_gap(reference, transform).broken


def test_nan_survives_the_sum_over_batches_in_either_order() -> None:
    nan, small = TransformGap(largest=float("nan")), TransformGap(largest=1e-7)
    assert (nan + small).broken
    assert (small + nan).broken


@pytest.mark.parametrize("gap", [TransformGap(1, 0.0), TransformGap(0, 2e-6), TransformGap(0, 0.0, "no tensor")])
def test_each_kind_of_gap_breaks_the_contract_alone(gap: TransformGap) -> None:
    assert gap.broken
    assert not TransformGap(0, 9e-7).broken


def test_the_sum_over_batches_counts_ids_and_keeps_the_largest_and_the_first() -> None:
    total = TransformGap(2, 3e-7, "a") + TransformGap(5, 1e-7, "b")
    assert (total.ids_differ, total.largest, total.first) == (7, 3e-7, "a")


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"island": IDS["island"], "other": IDS["island"]},
        {"island": IDS["island"].astype(np.int64)},
        {"island": IDS["island"].reshape(3, 1)},
    ],
)
def test_other_names_dtypes_or_shapes_break_the_contract(reference: dict[str, np.ndarray]) -> None:
    assert transform_gap(reference, IDS).broken


def test_a_rung_within_the_bound_is_kept_with_its_numbers() -> None:
    rung = judge_rung(attempt(probabilities(list(TARGET)) * np.float32(0.99)), TRUTH)
    assert (rung.state, rung.reason, rung.converted, rung.trained, rung.lost) == ("kept", "", 1.0, 1.0, 0.0)
    assert rung.largest_difference == pytest.approx(0.008, rel=1e-3)
    assert (rung.agreement, rung.size_bytes, rung.latency, rung.seconds) == (1.0, 500, 0.002, 1.5)


def test_a_rung_that_loses_more_than_the_bound_says_both_numbers() -> None:
    rung = judge_rung(attempt(ONE_WRONG), TRUTH)
    assert (rung.state, rung.agreement) == ("out_of_bounds", 0.9)
    assert (rung.converted, rung.trained) == (0.9, 1.0)
    assert rung.lost == pytest.approx(0.1)
    assert rung.reason == "accuracy lost 0.1000, may lose 0.05"


def test_a_rung_that_is_better_than_the_model_is_kept_whichever_bound() -> None:
    worse = replace(TRUTH, served=ONE_WRONG, may_lose=0.0)
    rung = judge_rung(attempt(RIGHT), worse)
    assert rung.state == "kept"
    assert rung.lost == pytest.approx(-0.1)


def test_the_trained_side_is_what_a_client_of_the_server_gets_not_core() -> None:
    swapped = replace(TRUTH, served=ONE_WRONG, core={"probabilities": RIGHT})
    rung = judge_rung(attempt(RIGHT), swapped)
    assert (rung.trained, rung.converted, rung.largest_difference) == (0.9, 1.0, 0.0)


def test_one_nan_breaks_a_rung_although_its_accuracy_would_pass() -> None:
    answer = RIGHT.copy()
    answer[4, 2] = np.nan
    rung = judge_rung(attempt(answer), TRUTH)
    assert rung.state == "out_of_bounds"
    assert rung.reason == "1 of 10 rows are answered with NaN or infinity"
    assert np.isnan(rung.largest_difference)
    assert rung.agreement == 0.9


def test_a_model_that_answers_nan_in_the_server_keeps_no_rung() -> None:
    broken = RIGHT.copy()
    broken[0] = np.nan
    assert judge_rung(attempt(RIGHT), replace(TRUTH, served=broken)).state == "out_of_bounds"


def test_a_broken_preprocess_file_breaks_every_rung_however_good_its_answers() -> None:
    gap = TransformGap(3, 0.0, "island: the reference gives 2, transform 3")
    rung = judge_rung(attempt(RIGHT), replace(TRUTH, gap=gap))
    assert rung.state == "out_of_bounds"
    assert "preprocess.json" in rung.reason
    assert "3 ids differ, bound 0" in rung.reason


def test_a_rung_without_answers_is_failed_with_its_reason() -> None:
    rung = judge_rung(Attempt("int8", 2.0, reason="killed by SIGSEGV"), TRUTH)
    assert (rung.state, rung.reason, rung.lost, rung.agreement) == ("failed", "killed by SIGSEGV", None, None)


WRONG_SHAPES = [{}, {"probabilities": RIGHT[:9]}, {"probabilities": RIGHT[:, :2]}, {"other": RIGHT}]


@pytest.mark.parametrize("answers", WRONG_SHAPES)
def test_a_rung_with_other_outputs_is_failed(answers: dict[str, np.ndarray]) -> None:
    rung = judge_rung(Attempt("int8", 2.0, answers=answers, size_bytes=9), TRUTH)
    assert rung.state == "failed"
    assert "probabilities" in rung.reason


def test_a_number_is_judged_relative_to_the_trained_model_and_has_no_agreement() -> None:
    target = np.array([100.0, 200.0, 300.0, 400.0])
    served = (target + np.array([10, -10, 10, -10])).astype(np.float32)
    truth = Truth("rmse", 0.005, target, served, {"value": served})
    near, far = ((target + np.array([1, -1, 1, -1]) * miss).astype(np.float32) for miss in (10.04, 10.4))
    attempts = [Attempt("int8", 1.0, size_bytes=9, answers={"value": value}) for value in (near, far)]
    kept, lost = (judge_rung(attempt, truth) for attempt in attempts)
    assert (kept.state, lost.state, kept.agreement) == ("kept", "out_of_bounds", None)
    assert lost.lost == pytest.approx(0.04, rel=1e-3)


def rung(name: str, state: str, size: int | None) -> Rung:
    return Rung.model_validate({"name": name, "state": state, "size_bytes": size})


def test_the_smallest_kept_rung_is_chosen_whatever_the_order() -> None:
    small, large = rung("int8", "kept", 200), rung("float32", "kept", 800)
    for rungs in ([small, large], [large, small]):
        chosen = smallest_kept(rungs)
        assert chosen is not None
        assert chosen.name == "int8"


def test_a_smaller_rung_that_is_out_of_bounds_is_not_chosen() -> None:
    chosen = smallest_kept([rung("int8", "out_of_bounds", 200), rung("float32", "kept", 800)])
    assert chosen is not None
    assert chosen.name == "float32"


def test_nothing_is_chosen_when_no_rung_keeps_the_contract() -> None:
    assert smallest_kept([rung("int8", "out_of_bounds", 200), rung("float32", "failed", None)]) is None


def test_agreement_counts_a_row_with_nan_as_disagreement() -> None:
    answer = RIGHT.copy()
    answer[0] = np.nan
    assert agreement(answer, answer) == 0.9


def test_the_largest_difference_looks_at_every_output() -> None:
    expected = {"a": np.zeros(2, np.float32), "b": np.zeros((2, 2), np.float32)}
    assert max_difference({"a": expected["a"], "b": expected["b"] - 3}, expected) == 3.0
