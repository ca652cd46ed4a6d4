"""Deciding again: other bounds over evidence that was gathered under the bounds of a run. Pure.

The evidence is what was measured. A bound on what was not measured cannot be decided from it: that needs a new run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ferryman.artifacts.evidence import AnswerCheck, Conversion, Evaluation, Rung, ServingCheck, Verdict, smallest_kept
from ferryman.artifacts.resolved import Serving
from ferryman.errors import UsageError
from ferryman.spec.blocks import Gate, Tolerance
from ferryman.steps.gate.judge import judge


class UndecidableError(UsageError):
    """The evidence does not say whether the new bounds hold; `places` are the fields that ask for more."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places
        told = "\n".join(f"  {place}: {why}" for place, why in places.items())
        super().__init__(f"this evidence cannot decide it; run the new spec for\n{told}")


@dataclass(frozen=True)
class Gathered:
    """All that the gate of a run had before it."""

    content: str
    scale: float
    """One standard deviation of the train labels, in which tolerances of numbers count; 1 for classes."""

    evaluation: Evaluation
    conversion: Conversion
    check: ServingCheck
    serves: Serving | None


def judge_again(gate: Gate, required: bool, found: Gathered) -> Verdict:
    """The verdict that the gate would have given under the bounds of `gate`; `required`: whether a conversion is.

    Raises:
        UndecidableError: a bound is on what was not measured.
    """
    tolerance = gate.served.scaled(found.scale)
    places = dict(_unmeasured(gate, found)) | dict(_unclear_answers(found.check, tolerance))
    if places:
        raise UndecidableError(places)
    conversion = bounded(found.conversion, gate.converted.may_lose).model_copy(update={"required": required})
    check = tolerated(found.check, tolerance)
    return judge(gate, found.content, found.evaluation, conversion, check, found.serves)


def bounded(conversion: Conversion, may_lose: float) -> Conversion:
    """The report as it would be if conversions might lose `may_lose`: which rungs keep that, and the smallest of them."""
    rungs = [_rung(rung, conversion, may_lose) for rung in conversion.rungs]
    chosen = smallest_kept(rungs)
    update = {"may_lose": may_lose, "rungs": rungs, "chosen": chosen.name if chosen else None}
    return conversion.model_copy(update=update)


def tolerated(check: ServingCheck, tolerance: Tolerance) -> ServingCheck:
    """The report as it would be under another tolerance, of which every answer clearly lies on one side."""
    answers = [_answer(answer, bool(_within(answer, check, tolerance))) for answer in check.answers]
    return check.model_copy(update={"answers": answers, "absolute": tolerance.absolute, "relative": tolerance.relative})


def _answer(answer: AnswerCheck, within: bool) -> AnswerCheck:
    reason = answer.reason or f"answers differ by up to {answer.largest_absolute:.2g}"
    return answer.model_copy(update={"ok": within, "reason": "" if within else reason})


def _unmeasured(gate: Gate, found: Gathered) -> Iterator[tuple[str, str]]:
    """Places of the metrics that nobody measured."""
    evaluation = found.evaluation
    for number, bound in enumerate(gate.require):
        # With answers that are not finite nothing was measured, and the verdict is clear.
        if bound.metric not in evaluation.metrics and not evaluation.not_finite:
            known = ", ".join(map(evaluation.metric_name, evaluation.metrics))
            yield f"gate.require.{number}.metric", f"{bound.metric} was not measured; measured were {known}"
    champion = evaluation.champion
    if found.serves and champion and not champion.not_comparable and champion.metric != gate.champion.metric:
        why = f"the champion was compared with in {champion.metric}, not in {gate.champion.metric}"
        yield "gate.champion.metric", why
    if gate.converted.metric != found.conversion.metric:
        why = f"conversions were measured in {found.conversion.metric}, not in {gate.converted.metric}"
        yield "gate.converted.metric", why


def _unclear_answers(check: ServingCheck, tolerance: Tolerance) -> Iterator[tuple[str, str]]:
    for answer in check.answers:
        if _within(answer, check, tolerance) is None:
            yield (
                "gate.served",
                f"of the answers over {answer.protocol} only the largest differences are kept "
                f"({answer.largest_absolute:.2g}, {answer.largest_relative:.2g} relative), under "
                f"{check.absolute:g} + {check.relative:g} relative",
            )


def _within(answer: AnswerCheck, check: ServingCheck, tolerance: Tolerance) -> bool | None:
    """Whether all answers lie within the tolerance; None when the largest differences do not tell.

    An answer may differ by `absolute + relative * |recorded|`.
    """
    if not answer.ok and (answer.labels_changed or not math.isfinite(answer.largest_absolute)):
        return False
    looser = tolerance.absolute >= check.absolute and tolerance.relative >= check.relative
    tighter = tolerance.absolute <= check.absolute and tolerance.relative <= check.relative
    if (answer.ok and looser) or (not answer.ok and tighter):
        return answer.ok
    # What was not compared to the end (another shape, no answer) has differences of 0 and is not ok.
    compared = answer.ok or answer.largest_absolute > 0
    if compared and answer.largest_absolute <= tolerance.absolute:
        return True
    return None if compared else False


def _rung(rung: Rung, conversion: Conversion, may_lose: float) -> Rung:
    lost = rung.lost if rung.lost is not None else math.nan
    # A rung that lost too much may break the contract otherwise too, which its reason then says beside.
    only_lost = rung.state == "out_of_bounds" and lost > conversion.may_lose and ";" not in rung.reason
    if rung.state != "kept" and not only_lost:
        return rung
    if lost <= may_lose:
        return rung.model_copy(update={"state": "kept", "reason": ""})
    reason = f"lost {lost:.4f}, may lose {may_lose:g}"
    return rung.model_copy(update={"state": "out_of_bounds", "reason": reason})
