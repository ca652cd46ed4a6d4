"""The gate's decision on evidence that is odd, incoherent or not finite: none of it may promote."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ferryman.artifacts.evidence import (
    AnswerCheck,
    ChampionComparison,
    Conversion,
    Evaluation,
    Reason,
    Rung,
    Score,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.resolved import Serving
from ferryman.spec.blocks import Gate, Margin, Requirement
from ferryman.steps.gate.judge import judge

MODEL = "m" * 64
ENDLESS = [math.nan, math.inf, -math.inf]
SERVES = Serving(model="m", version=4, digest="d4", content="old", epoch=1, generation=1, path="/p", refused=["bad"])


def gate(may_lose: float = 0.25, metric: str = "accuracy") -> Gate:
    return Gate(
        require=(Requirement(metric="accuracy", at_least=0.5),),
        champion=Margin(metric=metric, may_lose=may_lose),
        converted=Margin(metric="accuracy", may_lose=0.125),
    )


def compared(**changes: Any) -> ChampionComparison:
    numbers = {"candidate": 0.75, "champion": 0.875, "difference": -0.125, "lower": -0.1875, "rows_needed": 900}
    base = ChampionComparison(version=4, digest="d4", metric="accuracy", rows=64, **numbers)
    return base.model_copy(update=changes)


def decide(
    champion: ChampionComparison | None = None,
    bounds: Gate | None = None,
    rungs: list[Rung] | None = None,
    largest: float = 3e-6,
    serves: Serving | None = SERVES,
    content: str = "new",
) -> Verdict:
    evaluation = Evaluation(
        model=MODEL,
        examples="e" * 64,
        task="class",
        rows=64,
        metrics={"accuracy": Score(value=0.75)},
        champion=champion or compared(),
    )
    conversion = Conversion(
        model=MODEL,
        required=True,
        metric="accuracy",
        may_lose=0.125,
        rungs=rungs or [Rung(name="float32", state="kept", lost=0.0625)],
        chosen="float32",
        transform_ids_differ=0,
        transform_largest_difference=0.0,
        rows=64,
    )
    answers = [
        AnswerCheck(protocol=p, rows=8, ok=True, largest_absolute=n, largest_relative=2e-6, labels_changed=0)
        for p, n in (("grpc", 1e-6), ("rest", largest))
    ]
    check = ServingCheck(model=MODEL, server="s 1", stand_in=False, answers=answers, absolute=1e-5, relative=1e-4)
    return judge(bounds or gate(), content, evaluation, conversion, check, serves)


def reason(found: Verdict, check: str) -> Reason:
    (only,) = (reason for reason in found.reasons if reason.check == check)
    return only


def test_the_evidence_of_these_tests_promotes_as_it_is() -> None:
    assert decide().kind == "promote"


@pytest.mark.parametrize("value", ENDLESS)
@pytest.mark.parametrize("field", ["lower", "difference"])
def test_a_comparison_that_is_not_finite_holds_whatever_its_sign(field: str, value: float) -> None:
    found = decide(compared(**{field: value}))
    assert (found.kind, reason(found, "champion accuracy").ok) == ("hold", False)


def test_an_infinite_loss_keeps_its_sign_in_the_text() -> None:
    assert "surely by -inf" in reason(decide(compared(lower=-math.inf)), "champion accuracy").text


@pytest.mark.parametrize("value", ENDLESS)
def test_a_conversion_that_lost_no_finite_amount_is_not_good_enough(value: float) -> None:
    found = decide(rungs=[Rung(name="float32", state="kept", lost=value)])
    assert (found.kind, reason(found, "converted").ok) == ("hold", False)


@pytest.mark.parametrize("value", ENDLESS)
def test_served_answers_of_no_finite_difference_do_not_count_as_right(value: float) -> None:
    found = decide(largest=value)
    assert found.kind == "hold"
    assert [reason(found, f"served {protocol}").ok for protocol in ("grpc", "rest")] == [True, False]


@pytest.mark.parametrize("field", ["candidate", "champion", "difference", "lower"])
def test_a_comparison_without_one_of_its_numbers_holds(field: str) -> None:
    found = decide(compared(**{field: None}))
    assert found.kind == "hold"
    assert reason(found, "champion accuracy").text == "version 4 cannot be compared with: no numbers"


def test_a_comparison_in_another_metric_than_the_bounds_holds() -> None:
    found = decide(compared(metric="macro_f1"))
    assert found.kind == "hold"
    text = reason(found, "champion accuracy").text
    assert text == "version 4 was compared with in macro_f1, the bound is on accuracy"


@pytest.mark.parametrize(
    "changes", [{"version": 3}, {"digest": "d3"}, {"not_comparable": "other classes"}, {"metric": "macro_f1"}]
)
def test_more_rows_are_not_asked_for_where_nothing_was_compared(changes: dict[str, Any]) -> None:
    undecided = {"difference": -0.125, "lower": -0.5}
    assert decide(compared(**undecided)).kind == "insufficient"
    assert decide(compared(**undecided, **changes)).kind == "hold"


@pytest.mark.parametrize(("difference", "kind"), [(-0.25, "hold"), (-0.2499, "insufficient"), (-0.2501, "hold")])
def test_a_difference_on_the_margin_itself_is_not_decided_by_more_rows(difference: float, kind: str) -> None:
    assert decide(compared(difference=difference, lower=-0.375)).kind == kind


def test_a_margin_of_a_metric_with_its_own_scale_is_said_to_be_a_fraction() -> None:
    found = decide(compared(metric="log_loss"), gate(metric="log_loss"))
    assert found.kind == "promote"
    assert "better by -0.1250 (as a fraction), surely by -0.1875" in reason(found, "champion log_loss").text


def test_a_margin_of_nothing_prints_and_keeps_no_negative_zero() -> None:
    found = decide(compared(difference=0.0, lower=0.0), gate(may_lose=0.0))
    said = reason(found, "champion accuracy")
    assert said.ok
    assert said.text.endswith("better by 0.0000, surely by 0.0000, bound 0.0000")
    assert math.copysign(1.0, said.bound or 0.0) == 1.0
    assert "-0.0" not in found.model_dump_json().replace("-0.0625", "")


def test_a_first_model_may_be_one_that_nobody_could_compare() -> None:
    found = decide(compared(lower=math.nan), serves=None)
    assert (found.kind, found.rows_needed) == ("promote", None)


def test_what_is_rolled_back_and_serves_again_is_nothing_new_with_both_reasons() -> None:
    both = SERVES.model_copy(update={"content": "bad"})
    found = decide(serves=both, content="bad")
    assert found.kind == "nothing_new"
    assert [reason.ok for reason in found.reasons if reason.check == "content"] == [False, False]


def test_a_held_verdict_still_says_how_many_rows_would_decide_the_comparison() -> None:
    found = decide(compared(lower=-0.5), rungs=[Rung(name="int8", state="failed", reason="it crashed")])
    assert (found.kind, found.rows_needed) == ("hold", 900)


def test_a_chosen_rung_that_was_never_tried_is_no_conversion() -> None:
    found = decide(rungs=[Rung(name="int8", state="out_of_bounds", reason="lost 0.3", lost=0.3)])
    said = reason(found, "converted")
    assert (said.ok, said.value, said.bound) == (False, 0.3, 0.125)
    assert "int8: lost 0.3" in said.text
