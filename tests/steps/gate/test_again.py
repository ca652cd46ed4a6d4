"""Deciding again: other bounds over the same evidence, or a refusal that names what was not measured."""

from __future__ import annotations

from typing import Any

import pytest

from ferryman.artifacts.evidence import (
    AnswerCheck,
    ChampionComparison,
    Conversion,
    Evaluation,
    Rung,
    Score,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.resolved import Serving
from ferryman.spec.blocks import Gate
from ferryman.steps.gate.again import Gathered, UndecidableError, judge_again

SERVES = Serving(model="m", version=4, digest="d4", content="old", epoch=1, generation=1, path="/p")


def answers(ok: bool, **numbers: Any) -> list[AnswerCheck]:
    base = {"largest_absolute": 3e-6, "largest_relative": 2e-6, "labels_changed": 0}
    common = {"rows": 9, "ok": ok, "reason": "" if ok else "they differ", **base, **numbers}
    return [AnswerCheck(protocol=name, **common) for name in ("grpc", "rest")]


def gathered(
    *, rungs: list[Rung] | None = None, check: list[AnswerCheck] | None = None, scale: float = 1.0, **evaluation: Any
) -> Gathered:
    metrics = {"accuracy": Score(value=0.9), "log_loss": Score(value=0.3)}
    champion = ChampionComparison(version=4, digest="d4", metric="accuracy", rows=500, candidate=0.9, champion=0.91)
    champion = champion.model_copy(update={"difference": -0.01, "lower": -0.03, "differing": 9, "method": "exact"})
    found = Evaluation(model="m", examples="e", task="class", rows=500, metrics=metrics, champion=champion)
    rungs = rungs or [rung("int8", 0.008), rung("float32", 0.001)]
    kept = [one.name for one in rungs if one.state == "kept"]
    numbers = {"transform_ids_differ": 0, "transform_largest_difference": 0.0, "rows": 500, "required": True}
    conversion = Conversion(
        model="m", metric="accuracy", may_lose=0.005, rungs=rungs, chosen=kept[0] if kept else None, **numbers
    )
    served = ServingCheck(
        model="m", server="s", stand_in=False, answers=check or answers(True), absolute=1e-5, relative=1e-4
    )
    return Gathered("new", scale, found.model_copy(update=evaluation), conversion, served, SERVES)


def rung(name: Any, lost: float, reason: str = "") -> Rung:
    state: Any = "kept" if lost <= 0.005 and not reason else "out_of_bounds"
    reason = reason or ("" if state == "kept" else f"accuracy lost {lost}, may lose 0.005")
    return Rung(name=name, state=state, lost=lost, reason=reason, size_bytes={"int8": 230, "float32": 885}[name])


def bounds(**blocks: Any) -> Gate:
    base = {
        "champion": {"metric": "accuracy", "may_lose": 0.05},
        "converted": {"metric": "accuracy", "may_lose": 0.005},
    }
    return Gate.model_validate({**base, **blocks})


def decided(gate: Gate, found: Gathered) -> tuple[str, list[str]]:
    verdict: Verdict = judge_again(gate, True, found)
    return verdict.kind, [reason.check for reason in verdict.reasons if not reason.ok]


def test_every_bound_decides_as_if_it_had_been_the_runs_own() -> None:
    assert decided(bounds(), gathered()) == ("promote", [])
    stricter = bounds(champion={"metric": "accuracy", "may_lose": 0.02})
    assert decided(stricter, gathered()) == ("insufficient", ["champion accuracy"])
    higher = bounds(require=[{"metric": "accuracy", "at_least": 0.92}, {"metric": "log_loss", "at_most": 0.31}])
    assert decided(higher, gathered()) == ("hold", ["accuracy"])


def test_the_smallest_conversion_that_keeps_the_new_bound_is_judged() -> None:
    def converted(may_lose: float, *rungs: Rung) -> str:
        gate = bounds(converted={"metric": "accuracy", "may_lose": may_lose})
        verdict = judge_again(gate, True, gathered(rungs=list(rungs) or None))
        return next(reason.text for reason in verdict.reasons if reason.check == "converted")

    assert converted(0.005).startswith("float32 lost 0.001")
    assert converted(0.01).startswith("int8 lost 0.008 accuracy in conversion, may lose 0.01")
    assert "no conversion is good enough: int8: lost 0.0080, may lose 0.0005" in converted(0.0005)
    # It breaks the contract otherwise too: a looser bound does not mend that.
    broken = rung("int8", 0.008, "3 ids differ, bound 0; accuracy lost 0.008, may lose 0.005")
    assert converted(0.01, broken, rung("float32", 0.001)).startswith("float32 lost 0.001")


def test_a_conversion_that_is_not_required_any_more_holds_nobody_back() -> None:
    nothing = gathered(rungs=[rung("int8", 0.5)])
    assert judge_again(bounds(), True, nothing).kind == "hold"
    assert judge_again(bounds(), False, nothing).kind == "promote"


def test_what_was_not_measured_is_named_all_at_once_and_nothing_is_decided() -> None:
    gate = bounds(
        require=[{"metric": "accuracy", "at_least": 0.5}, {"metric": "fraud.metrics:Cost", "at_most": 3}],
        champion={"metric": "macro_f1", "may_lose": 0.02},
        converted={"metric": "macro_f1", "may_lose": 0.02},
    )
    with pytest.raises(UndecidableError) as refused:
        judge_again(gate, True, gathered())
    assert refused.value.places.keys() == {"gate.require.1.metric", "gate.champion.metric", "gate.converted.metric"}
    assert "fraud.metrics:Cost was not measured; measured were accuracy, log_loss" in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("check", "tolerance", "kind"),
    [
        (answers(True), {"absolute": 1e-4, "relative": 1e-4}, "promote"),
        # All differences are 3e-6 at most: they lie within 4e-6 whatever was recorded.
        (answers(True), {"absolute": 4e-6, "relative": 0.0}, "promote"),
        (answers(True), {"absolute": 2e-6, "relative": 0.0}, None),
        (answers(False, largest_absolute=0.2), {"absolute": 1e-6, "relative": 1e-5}, "hold"),
        (answers(False, largest_absolute=0.2), {"absolute": 0.3, "relative": 0.0}, "promote"),
        (answers(False, largest_absolute=0.2), {"absolute": 0.1, "relative": 0.1}, None),
        (answers(False, largest_absolute=0.2, labels_changed=1), {"absolute": 0.3, "relative": 0.3}, "hold"),
        # Nothing was compared: another shape, no answer.
        (answers(False, largest_absolute=0.0), {"absolute": 0.3, "relative": 0.3}, "hold"),
        (answers(False, largest_absolute=float("nan")), {"absolute": 0.3, "relative": 0.3}, "hold"),
    ],
)
def test_another_tolerance_decides_only_where_the_largest_differences_tell(
    check: list[AnswerCheck], tolerance: dict[str, float], kind: str | None
) -> None:
    gate = bounds(served=tolerance)
    if kind:
        assert decided(gate, gathered(check=check))[0] == kind
        return
    with pytest.raises(UndecidableError, match="only the largest differences are kept"):
        judge_again(gate, True, gathered(check=check))


def test_a_tolerance_counts_in_deviations_of_the_label() -> None:
    far = answers(False, largest_absolute=0.2)
    gate = bounds(served={"absolute": 0.1, "relative": 0.0})
    assert decided(gate, gathered(check=far, scale=2.5)) == ("promote", [])
    with pytest.raises(UndecidableError):
        judge_again(gate, True, gathered(check=far, scale=1.5))
