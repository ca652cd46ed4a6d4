"""The gate's one decision: every reason with its number and its bound, all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from ferryman.artifacts.evidence import (
    AnswerCheck,
    ChampionComparison,
    Conversion,
    Evaluation,
    OwnMetric,
    Rung,
    Score,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.resolved import Serving
from ferryman.errors import ArtifactError
from ferryman.spec.blocks import Gate, Margin, Requirement
from ferryman.steps.gate.judge import judge

NAN = float("nan")
MODEL = "m" * 64
GATE = Gate(
    require=(Requirement(metric="accuracy", at_least=0.9), Requirement(metric="log_loss", at_most=0.3)),
    champion=Margin(metric="accuracy", may_lose=0.02),
    converted=Margin(metric="accuracy", may_lose=0.005),
)
SERVES = Serving(model="m", version=4, digest="d4", content="old", epoch=1, generation=1, path="/p", refused=["bad"])


def evaluation(**changes: Any) -> Evaluation:
    metrics = {"accuracy": Score(value=0.95, low=0.93, high=0.97), "log_loss": Score(value=0.2)}
    base = Evaluation(model=MODEL, examples="e", task="class", rows=1000, metrics=metrics)
    return base.model_copy(update=changes)


def comparison(**changes: Any) -> ChampionComparison:
    found = ChampionComparison(
        version=4, digest="d4", metric="accuracy", rows=1000, candidate=0.95, champion=0.94, difference=0.01
    )
    return found.model_copy(update={"lower": -0.015, "differing": 30, "method": "exact", **changes})


def conversion(lost: float | None = 0.001, chosen: str | None = "int8", required: bool = True) -> Conversion:
    rungs = [
        Rung(name="int8", state="kept", lost=lost) if chosen else Rung(name="int8", state="failed", reason="it crashed")
    ]
    numbers = {"transform_ids_differ": 0, "transform_largest_difference": 0.0, "rows": 1000}
    return Conversion(
        model=MODEL, required=required, metric="accuracy", may_lose=0.005, rungs=rungs, chosen=chosen, **numbers
    )


def answer(protocol: Any, ok: bool = True, **changes: Any) -> AnswerCheck:
    numbers = {"largest_absolute": 3e-6, "largest_relative": 2e-6, "labels_changed": 0}
    return AnswerCheck(protocol=protocol, rows=256, ok=ok, **{**numbers, **changes})


def served(*answers: AnswerCheck, failure: str = "") -> ServingCheck:
    both = list(answers) or [answer("grpc"), answer("rest")]
    return ServingCheck(
        model=MODEL, server="ferryman-model-server 1", stand_in=True, answers=both, absolute=1e-5, relative=1e-4
    ).model_copy(update={"failure": failure})


def verdict(
    found: Evaluation | None = None,
    converted: Conversion | None = None,
    check: ServingCheck | None = None,
    serves: Serving | None = None,
    content: str = "new",
) -> Verdict:
    return judge(GATE, content, found or evaluation(), converted or conversion(), check or served(), serves)


def failing(found: Verdict) -> dict[str, str]:
    return {reason.check: reason.text for reason in found.reasons if not reason.ok}


def test_a_first_model_that_keeps_every_bound_is_promoted_without_a_champion() -> None:
    found = verdict()
    assert (found.kind, found.model, found.content, found.rows_needed) == ("promote", MODEL, "new", None)
    numbers = {reason.check: (reason.value, reason.bound) for reason in found.reasons}
    assert numbers["accuracy"] == (0.95, 0.9)
    assert numbers["log_loss"] == (0.2, 0.3)
    assert numbers["converted"] == (0.001, 0.005)
    assert numbers["served grpc"] == (3e-6, 1e-5)
    assert "nothing serves yet" in found.reasons[-1].text


def test_all_reasons_are_shown_at_once_each_with_its_number_and_bound() -> None:
    bad = evaluation(metrics={"accuracy": Score(value=0.85), "log_loss": Score(value=0.4)}, not_finite=3)
    wrong = answer("grpc", ok=False, largest_absolute=0.25, reason="12 labels changed, largest difference 0.25")
    found = verdict(bad, conversion(chosen=None), served(wrong, answer("rest")))
    assert found.kind == "hold"
    texts = failing(found)
    assert texts.keys() == {"accuracy", "log_loss", "finite answers", "converted", "served grpc"}
    assert "accuracy 0.85, required at least 0.9" in texts["accuracy"]
    assert "log_loss 0.4, required at most 0.3" in texts["log_loss"]
    assert "3 of 1,000" in texts["finite answers"]
    assert "int8: it crashed" in texts["converted"]
    assert "12 labels changed" in texts["served grpc"]
    assert [reason.check for reason in found.reasons if reason.ok] == ["served rest", "champion accuracy"]


@pytest.mark.parametrize(
    ("metric", "value", "ok"),
    [("accuracy", 0.9, True), ("accuracy", 0.8999, False), ("log_loss", 0.3, True), ("log_loss", 0.3001, False)],
)
def test_a_bound_itself_is_kept(metric: str, value: float, ok: bool) -> None:
    metrics = {**evaluation().metrics, metric: Score(value=value)}
    assert (verdict(evaluation(metrics=metrics)).kind == "promote") is ok


@pytest.mark.parametrize("value", [NAN, float("inf"), float("-inf")])
@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_what_is_no_number_never_keeps_a_bound(metric: str, value: float) -> None:
    metrics = {**evaluation().metrics, metric: Score(value=value)}
    found = verdict(evaluation(metrics=metrics))
    assert found.kind == "hold"
    assert "could not be measured" in failing(found)[metric]


def test_a_metric_that_was_not_measured_holds() -> None:
    assert failing(verdict(evaluation(metrics={"log_loss": Score(value=0.1)}))).keys() == {"accuracy"}


def test_a_candidate_that_surely_loses_no_more_than_it_may_is_promoted() -> None:
    found = verdict(evaluation(champion=comparison()), serves=SERVES)
    assert found.kind == "promote"
    reason = found.reasons[-1]
    assert (reason.value, reason.bound) == (-0.015, -0.02)
    assert "accuracy 0.95 against 0.94 of version 4 on 1,000 rows: better by +0.0100, surely by -0.0150" in reason.text


def test_a_candidate_that_is_worse_than_it_may_be_is_held_however_many_rows_there_are() -> None:
    found = verdict(evaluation(champion=comparison(difference=-0.03, lower=-0.05)), serves=SERVES)
    assert (found.kind, found.rows_needed) == ("hold", None)


def test_too_few_rows_hold_as_insufficient_and_say_how_many_would_do() -> None:
    short = comparison(difference=-0.005, lower=-0.03, rows_needed=2778)
    found = verdict(evaluation(champion=short), serves=SERVES)
    assert (found.kind, found.rows_needed) == ("insufficient", 2778)
    assert "about 2,778 test rows would decide it" in failing(found)["champion accuracy"]


def test_too_few_rows_do_not_excuse_another_reason() -> None:
    short = comparison(difference=-0.005, lower=-0.03, rows_needed=2778)
    found = verdict(evaluation(champion=short), conversion(chosen=None), serves=SERVES)
    assert found.kind == "hold"


def test_the_lower_bound_may_lie_on_the_margin_and_no_lower() -> None:
    kinds = [verdict(evaluation(champion=comparison(lower=low)), serves=SERVES).kind for low in (-0.02, -0.0201)]
    assert kinds == ["promote", "insufficient"]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "version 4 serves and was not compared with"),
        (comparison(version=3), "was not compared with"),
        (comparison(digest="other"), "was not compared with"),
        (comparison(not_comparable="it knows other classes"), "cannot be compared with: it knows other classes"),
        (comparison(lower=None), "no numbers"),
        (comparison(difference=NAN, lower=NAN), "surely by +nan"),
        (comparison(lower=NAN), "surely by +nan"),
    ],
)
def test_a_champion_that_was_not_really_beaten_holds(found: ChampionComparison | None, text: str) -> None:
    said = verdict(evaluation(champion=found), serves=SERVES)
    assert said.kind in {"hold", "insufficient"}
    assert text in failing(said)["champion accuracy"]
    (reason,) = [reason for reason in said.reasons if not reason.ok]
    assert ("another name" in reason.advice) == ("other classes" in text)


def test_what_serves_already_is_nothing_new_whatever_else_is_said() -> None:
    found = verdict(evaluation(champion=comparison()), conversion(chosen=None), serves=SERVES, content="old")
    assert found.kind == "nothing_new"
    assert "version 4, which serves, knows exactly the same" in failing(found)["content"]


def test_what_a_person_rolled_back_is_held() -> None:
    found = verdict(evaluation(champion=comparison()), serves=SERVES, content="bad")
    assert found.kind == "hold"
    assert "a person rolled this very model back" in failing(found)["content"]


def test_a_conversion_that_is_not_required_is_a_note() -> None:
    found = verdict(converted=conversion(chosen=None, required=False))
    assert found.kind == "promote"
    (note,) = (reason for reason in found.reasons if reason.check == "converted")
    assert "not required: no TFLite file is published" in note.text


@pytest.mark.parametrize(("lost", "ok"), [(0.005, True), (0.0051, False), (NAN, False), (None, False), (-0.01, True)])
def test_the_chosen_conversion_is_held_to_its_bound_again(lost: float | None, ok: bool) -> None:
    assert (verdict(converted=conversion(lost=lost)).kind == "promote") is ok


def test_a_server_that_does_not_load_the_model_holds_with_its_words() -> None:
    found = verdict(check=served(failure="Op type not registered"))
    assert "ferryman-model-server 1 does not serve it: Op type not registered" in failing(found)["served"]


@pytest.mark.parametrize("protocols", [["grpc"], ["rest"]])
def test_one_protocol_alone_is_no_proof(protocols: list[str]) -> None:
    found = verdict(check=served(*(answer(protocol) for protocol in protocols)))
    assert found.kind == "hold"
    assert "was not asked over both gRPC and REST" in failing(found)["served"]


@pytest.mark.parametrize("which", ["conversion", "serving_check"])
def test_a_report_on_another_model_is_no_evidence(which: str) -> None:
    other = {"model": "x" * 64}
    converted = conversion().model_copy(update=other if which == "conversion" else {})
    check = served().model_copy(update=other if which == "serving_check" else {})
    with pytest.raises(ArtifactError, match=f"{which} judged the model xxxxxxxxxxxx, evaluation mmmmmmmmmmmm"):
        verdict(converted=converted, check=check)


def test_what_rounds_to_zero_has_no_sign() -> None:
    found = verdict(evaluation(champion=comparison(difference=-0.00001, lower=-0.0)), serves=SERVES)
    assert "better by 0.0000, surely by 0.0000, bound -0.0200" in found.reasons[-1].text


COST = "fraud.metrics:Cost"


def test_a_metric_of_the_users_own_is_judged_by_what_travels_with_its_numbers() -> None:
    """Neither its package nor its class is here."""
    margin = {"metric": COST, "may_lose": 0.1}
    gate = Gate.model_validate(
        {"require": [{"metric": COST, "at_most": 3}], "champion": margin, "converted": {**margin, "may_lose": 0.2}}
    )
    own = {COST: OwnMetric(name="cost", better="lower", relative=True)}
    seen = evaluation(
        metrics={COST: Score(value=3.5, low=3.1, high=3.9)},
        own_metrics=own,
        champion=comparison(metric=COST, candidate=3.5, champion=5.0, difference=0.3, lower=0.2),
    )
    converted = conversion(lost=0.15).model_copy(update={"metric": COST, "may_lose": 0.2})
    found = judge(gate, "new", seen, converted, served(), SERVES)
    texts = {reason.check: (reason.ok, reason.text) for reason in found.reasons}
    assert texts["cost"] == (False, "cost 3.5 (95 % 3.1 to 3.9), required at most 3")
    assert texts["converted"] == (True, "int8 lost 0.15 cost in conversion, may lose 0.2")
    ok, text = texts["champion cost"]
    assert ok
    assert "cost 3.5 against 5 of version 4 on 1,000 rows: better by +0.3000 (as a fraction)" in text
