"""The gate's bounds: which can be reached, which ask nothing, and which need more rows than there are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ferryman.checks.finding import HELD, Finding, error, note, warning
from ferryman.checks.ground import Ground, given
from ferryman.checks.scan import class_shares
from ferryman.metrics import METRICS
from ferryman.metrics.intervals import Z_TWO_SIDED, wilson
from ferryman.metrics.power import ENOUGH, Rivals, expected_value, guessed_rivals, margin_for, often, power, rows_for
from ferryman.spec.blocks import Requirement
from ferryman.spec.spec import Spec


def check_requirements(ground: Ground) -> Iterator[Finding]:
    """Every bound under `gate.require`."""
    spec, rows = given(ground.spec), test_rows(ground)
    lazy = _lazy_scores(ground)
    for number, bound in enumerate(spec.gate.require):
        where = f"gate.require.{number}"
        if bound.metric == "accuracy" and bound.at_least is not None:
            yield from _unreachable(where, bound.at_least, rows)
        yield from _asks_nothing(where, bound, lazy)
    ground.headline = f"{len(spec.gate.require)} on {rows:,} test rows"


def check_power(ground: Ground) -> Iterator[Finding]:
    """How often a model that is just as good as the champion would be promoted."""
    spec, rows = given(ground.spec), test_rows(ground)
    margin = spec.gate.champion
    if ground.rivals is None and margin.metric not in METRICS:
        ground.headline = (
            f"{margin.metric} is a metric of your own: nothing is known of it before two models were compared"
        )
        return
    rivals = ground.rivals or guessed_rivals(margin.metric, _expected(ground), _shares(ground))
    chance = power(rivals, rows, margin.may_lose)
    said = f"with {rows:,} test rows and may_lose {margin.may_lose:g} an equally good model is promoted {often(chance)}"
    ground.headline = f"{said} ({'measured' if rivals.measured else 'estimated'})"
    if chance >= ENOUGH:
        yield note("gate.champion", said, _tighter(rivals, rows, margin.may_lose, spec))
    else:
        yield warning("gate.champion.may_lose", said, _more(rivals, rows, margin.may_lose, spec))


def test_rows(ground: Ground) -> int:
    """Rows of the test side; estimated where the file was not read to its end."""
    found, divided = given(ground.scan), given(ground.divided)
    seen = len(divided.rows_of("test"))
    return seen if found.complete else round(seen * found.total / max(found.seen, 1))


def _unreachable(where: str, limit: float, rows: int) -> Iterator[Finding]:
    surely = wilson(rows, rows)[0]
    if surely >= limit:
        return
    needed = math.inf if limit >= 1 else math.ceil(limit * Z_TWO_SIDED**2 / (1 - limit))
    text = f"even {rows:,} of {rows:,} right show no more than an accuracy of {surely:.3f} (95 %), required {limit:g}"
    advice = f"at most {math.floor(surely * 100) / 100:g}" + (f", or {rounded(needed)} test rows" if limit < 1 else "")
    if math.ceil(limit * rows - 1e-9) >= rows:
        yield error(where, f"{text}; a single wrong row holds the model", advice, HELD)
    else:
        yield warning(where, text, advice)


def _asks_nothing(where: str, bound: Requirement, lazy: dict[str, tuple[float, str]]) -> Iterator[Finding]:
    if bound.metric not in lazy:
        return
    score, how = lazy[bound.metric]
    limit = bound.at_least if bound.at_least is not None else bound.at_most
    better = METRICS[bound.metric].better == "higher"
    if limit is None or (bound.at_least is not None) != better:
        return
    if score >= limit if better else score <= limit:
        text = f"{how} reaches {bound.metric} {score:.3g}, required {'at least' if better else 'at most'} {limit:g}"
        other = ", or bound macro_f1, which counts every class alike" if bound.metric == "accuracy" else ""
        yield warning(where, text, f"give a bound that is clearly {'higher' if better else 'lower'}{other}")


def _lazy_scores(ground: Ground) -> dict[str, tuple[float, str]]:
    """Metric -> what a model reaches that answers the same to every row, and what that answer is."""
    found = given(ground.scan)
    if not found.complete:
        return {}
    if found.rows.numbers:
        values = np.frombuffer(found.rows.numbers)
        how = "always answering the mean"
        middle = "always answering the median"
        apart = float(np.mean(np.abs(values - np.median(values))))
        return {"rmse": (float(values.std()), how), "mae": (apart, middle), "r2": (0.0, how)}
    shares = {name: count / len(found.rows) for name, count in class_shares(found).items()}
    name = max(shares, key=lambda one: shares[one])
    largest, how = shares[name], f"always answering {name!r}"
    entropy = -sum(share * math.log(share) for share in shares.values() if share)
    return {
        "accuracy": (largest, how),
        "macro_f1": (2 * largest / (1 + largest) / len(shares), how),
        "log_loss": (entropy, "answering each class by its share"),
    }


def _expected(ground: Ground) -> float:
    """What the model is taken to reach: the champion's value, else by what is required, else something usual."""
    spec = given(ground.spec)
    metric = spec.gate.champion.metric
    if ground.champion_scores and metric in ground.champion_scores:
        return ground.champion_scores[metric]
    return expected_value(metric, {bound.metric: bound.at_least for bound in spec.gate.require})


def _shares(ground: Ground) -> list[float]:
    found = given(ground.scan)
    return [count / max(len(found.rows), 1) for count in class_shares(found).values()] or [1.0]


def _more(rivals: Rivals, rows: int, may_lose: float, spec: Spec) -> str:
    needed, margin = rows_for(rivals, may_lose), margin_for(rivals, rows)
    parts = []
    if margin is not None:
        parts.append(f"`may_lose: {_up(margin):g}`, which these rows support {often(ENOUGH)}")
    if needed is not None:
        test = spec.data.split.test
        parts.append(f"{rounded(needed)} test rows ({rounded(needed / test)} rows in all with test: {test:g})")
    return ", or ".join(parts) or "a larger may_lose and more rows"


def _tighter(rivals: Rivals, rows: int, may_lose: float, spec: Spec) -> str:
    """What it would take to ask for more."""
    tight = may_lose / 4
    needed = rows_for(rivals, tight, 0.9)
    if needed is None or needed <= rows:
        return ""
    return f"for may_lose {tight:g} you need about {rounded(needed)} test rows"


def rounded(number: float) -> str:
    """A number of rows with two digits that count."""
    digits = max(0, math.floor(math.log10(max(number, 1))) - 1)
    step: int = 10**digits
    return f"{math.ceil(number / step) * step:,}"


def _up(margin: float) -> float:
    """A margin with two digits, not below it."""
    step = 10.0 ** (math.floor(math.log10(margin)) - 1)
    return round(math.ceil(margin / step - 1e-9) * step, 10)
