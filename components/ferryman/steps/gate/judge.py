"""The gate's one decision: a pure function over the reports, the bounds and what serves."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ferryman.artifacts.evidence import (
    OTHER_CHAMPION,
    ChampionComparison,
    Conversion,
    Evaluation,
    Reason,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.resolved import Serving
from ferryman.errors import ArtifactError
from ferryman.metrics import METRICS
from ferryman.spec.blocks import Gate, Margin, Requirement


def judge(
    gate: Gate,
    content: str,
    evaluation: Evaluation,
    conversion: Conversion,
    check: ServingCheck,
    serves: Serving | None,
) -> Verdict:
    """Promote, hold, insufficient evidence or nothing new, with every reason, its number and its bound.

    `nothing_new`: the candidate knows exactly what serves. `insufficient`: all that fails is the champion comparison,
    and it fails only because the test rows are too few to tell: the difference itself lies within the margin, its
    lower bound does not. `hold`: anything else that fails. `promote`: nothing fails.

    Raises:
        ArtifactError: a report judged another model: no decision can rest on it.
    """
    for name, report in (("evaluation", evaluation), ("conversion", conversion), ("serving_check", check)):
        if report.model != evaluation.model:
            raise ArtifactError(
                f"{name} judged the model {report.model[:12]}, evaluation {evaluation.model[:12]}", name
            )
    champion = list(_champion(gate, evaluation, serves))
    others = [
        *_content(content, serves),
        *_finite(evaluation),
        *_unseen(evaluation),
        *(_requirement(bound, evaluation) for bound in gate.require),
        _converted(conversion, evaluation.metric_name(conversion.metric)),
        *_served(check),
    ]
    reasons = [*others, *champion]
    return Verdict(
        kind=_kind(content, others, champion, evaluation.champion, gate, serves),
        model=evaluation.model,
        content=content,
        reasons=reasons,
        rows_needed=evaluation.champion.rows_needed
        if evaluation.champion and not all(r.ok for r in champion)
        else None,
    )


def _kind(
    content: str,
    others: list[Reason],
    champion: list[Reason],
    comparison: ChampionComparison | None,
    gate: Gate,
    serves: Serving | None,
) -> str:
    if serves and content == serves.content:
        return "nothing_new"
    if not all(reason.ok for reason in others):
        return "hold"
    if all(reason.ok for reason in champion):
        return "promote"
    return "insufficient" if _undecided(comparison, gate.champion, serves) else "hold"


def _undecided(comparison: ChampionComparison | None, margin: Margin, serves: Serving | None) -> bool:
    """Whether more test rows could decide for the candidate: a whole comparison, its difference within the margin."""
    return (
        comparison is not None
        and serves is not None
        and not _no_comparison(comparison, margin, serves)
        and all(value is not None and math.isfinite(value) for value in (comparison.difference, comparison.lower))
        and (comparison.difference or 0.0) > -margin.may_lose
    )


def _content(content: str, serves: Serving | None) -> Iterable[Reason]:
    if not serves:
        return
    if content == serves.content:
        yield Reason(check="content", ok=False, text=f"version {serves.version}, which serves, knows exactly the same")
    if content in serves.refused:
        text = "a person rolled this very model back; only a person can promote it again, with a reason"
        yield Reason(check="content", ok=False, text=text)


def _finite(evaluation: Evaluation) -> Iterable[Reason]:
    if evaluation.not_finite:
        yield Reason(
            check="finite answers",
            ok=False,
            value=evaluation.not_finite,
            bound=0,
            text=f"{evaluation.not_finite:,} of {evaluation.rows:,} test rows are answered with NaN or infinity, bound 0",
        )


def _unseen(evaluation: Evaluation) -> Iterable[Reason]:
    if evaluation.seen:
        yield Reason(check="unseen rows", ok=False, text=f"the numbers prove nothing: {evaluation.seen}")
    elif evaluation.trained_elsewhere:
        text = "it was trained elsewhere: that it has never seen the test rows is taken on trust"
        yield Reason(check="unseen rows", ok=True, text=text)


def _requirement(bound: Requirement, evaluation: Evaluation) -> Reason:
    limit = bound.at_least if bound.at_least is not None else bound.at_most
    word = "at least" if bound.at_least is not None else "at most"
    score, name = evaluation.metrics.get(bound.metric), evaluation.metric_name(bound.metric)
    if limit is None or score is None or not math.isfinite(score.value):
        return Reason(check=name, ok=False, bound=limit, text=f"{name} could not be measured, {word} {limit:g}")
    ok = score.value >= limit if bound.at_least is not None else score.value <= limit
    spread = f" (95 % {score.low:.4g} to {score.high:.4g})" if score.low is not None and score.high is not None else ""
    text = f"{name} {score.value:.4g}{spread}, required {word} {limit:g}"
    return Reason(check=name, ok=ok, value=score.value, bound=limit, text=text)


def _champion(gate: Gate, evaluation: Evaluation, serves: Serving | None) -> Iterable[Reason]:
    name = f"champion {evaluation.metric_name(gate.champion.metric)}"
    if serves is None:
        yield Reason(check=name, ok=True, text="nothing serves yet: a first model needs no champion")
        return
    found, bound = evaluation.champion, 0.0 - gate.champion.may_lose
    missing = _no_comparison(found, gate.champion, serves)
    # What is None is said in `missing` already; the type checker wants it said again.
    if missing or found is None or found.difference is None or found.lower is None:
        apart = found is not None and found.not_comparable is not None and found.not_comparable in missing
        yield Reason(check=name, ok=False, bound=bound, text=missing, advice=OTHER_CHAMPION if apart else "")
    else:
        yield _margin(name, evaluation, found, found.difference, found.lower, bound)


def _no_comparison(found: ChampionComparison | None, margin: Margin, serves: Serving) -> str:
    """Why there is no comparison with what serves in the metric of the bound; empty when there is one."""
    if found is None or (found.version, found.digest) != (serves.version, serves.digest):
        return f"version {serves.version} serves and was not compared with"
    if found.not_comparable:
        return f"version {serves.version} cannot be compared with: {found.not_comparable}"
    if found.metric != margin.metric:
        return f"version {serves.version} was compared with in {found.metric}, the bound is on {margin.metric}"
    numbers = (found.candidate, found.champion, found.difference, found.lower)
    if any(number is None for number in numbers):
        return f"version {serves.version} cannot be compared with: no numbers"
    return ""


def _margin(
    name: str, evaluation: Evaluation, found: ChampionComparison, difference: float, lower: float, bound: float
) -> Reason:
    # The user's own metrics are not to be had here: what must be known of them travels with the evaluation.
    entry = evaluation.own_metrics.get(found.metric) or METRICS[found.metric]
    scale = " (as a fraction)" if entry.relative else ""
    text = (
        f"{entry.name} {found.candidate:.4g} against {found.champion:.4g} of version {found.version} on {found.rows:,} rows: "
        f"better by {_signed(difference)}{scale}, surely by {_signed(lower)}, bound {_signed(bound)}"
    )
    ok = math.isfinite(lower) and math.isfinite(difference) and lower >= bound
    if not ok and found.rows_needed:
        text += f"; about {found.rows_needed:,} test rows would decide it"
    return Reason(check=name, ok=ok, value=lower, bound=bound, text=text)


def _signed(value: float) -> str:
    """With its sign and four places; what rounds to zero has no sign."""
    rounded = round(value, 4)
    return f"{rounded:+.4f}" if rounded else "0.0000"


def _converted(conversion: Conversion, metric: str) -> Reason:
    chosen = next((rung for rung in conversion.rungs if rung.name == conversion.chosen), None)
    if chosen:
        lost = chosen.lost if chosen.lost is not None else math.nan
        text = f"{chosen.name} lost {lost:.4g} {metric} in conversion, may lose {conversion.may_lose:g}"
        ok = math.isfinite(lost) and lost <= conversion.may_lose
        return Reason(check="converted", ok=ok, value=lost, bound=conversion.may_lose, text=text)
    why = conversion.impossible or "; ".join(f"{rung.name}: {rung.reason}" for rung in conversion.rungs)
    note = "" if conversion.required else " (not required: no TFLite file is published)"
    least = min((rung.lost for rung in conversion.rungs if rung.lost is not None), default=None)
    text = f"no conversion is good enough: {why}{note}"
    return Reason(check="converted", ok=not conversion.required, value=least, bound=conversion.may_lose, text=text)


def _served(check: ServingCheck) -> Iterable[Reason]:
    if check.failure:
        yield Reason(check="served", ok=False, text=f"{check.server} does not serve it: {check.failure}")
        return
    stand_in = " (stand-in)" if check.stand_in else ""
    for answer in check.answers:
        text = (
            f"{answer.rows:,} golden rows over {answer.protocol} from {check.server}{stand_in}: largest difference "
            f"{answer.largest_absolute:.2g}, within {check.absolute:g} + {check.relative:g} relative"
        )
        if not answer.ok:
            text = f"{answer.protocol} from {check.server}{stand_in}: {answer.reason}"
        yield Reason(
            check=f"served {answer.protocol}",
            ok=answer.ok and math.isfinite(answer.largest_absolute),
            value=answer.largest_absolute,
            bound=check.absolute,
            text=text,
        )
    if {answer.protocol for answer in check.answers} != {"grpc", "rest"}:
        yield Reason(check="served", ok=False, text="the server was not asked over both gRPC and REST")
