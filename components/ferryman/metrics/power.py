"""The power of the champion's margin: how often a model that is just as good as the champion would be promoted.

The gate promotes when the one-sided 95 % lower bound of (candidate - champion) is at least -may_lose. Two equally good
models still differ on some rows, so with few rows the bound lies low by chance, whatever the candidate is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ferryman.metrics.intervals import FEW, RESAMPLES, Z_ONE_SIDED, exact_lower_bound

ENOUGH: Final = 0.8
"""The power that is aimed at. Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, section 2.4."""

MOST_ROWS: Final = 100_000_000
"""Beyond this many test rows, a margin cannot be supported for all purposes."""

LOST_WITH_AN_ERROR: Final = 0.8
"""Rows on which just one of two equally good models is right, for each row that one of them has wrong. Measured between
seeds of one spec: MNIST 0.5 to 0.8, digits 0.5 to 1.0, penguins 0; two independent models would have almost 2."""

ALIKE: Final = 0.95
"""Correlation of the errors that two equally good regressions make on the same rows; measured between seeds: 0.96 to 0.98.
Lower is more cautious."""

WINDOW: Final = 40
"""Rows gained round the turning point for which the luck of a bootstrap is worked out; it reaches 0.1 deviations far."""

LOSS_SPREAD: Final = 4.0
"""Deviation of a row's difference in log loss, in mean log losses: few rows carry most of it (measured: 1.4 to 5)."""

OF_ALLOWED: Final = 0.6
"""Share of the errors that a requirement allows which a model really makes: the ready specs' models make 0.15 to 0.6."""

USUAL: Final = {"accuracy": 0.9, "macro_f1": 0.85, "r2": 0.5}
"""What a model is taken to reach where neither a champion nor a requirement says so: low, as a better one differs less
from its rivals."""


@dataclass(frozen=True)
class Rivals:
    """How two equally good models differ from row to row, in one metric."""

    metric: str
    spread: float
    """accuracy: the share of rows on which just one of the two is right. Other metrics: the deviation of one row's part in
    the difference of the metric, scaled as `may_lose` is (the difference over n rows has this over the root of n)."""

    measured: bool = False
    """Whether it comes from a comparison of two models, and is no guess."""

    added: float = 0.0
    """Where few rows differ, the bootstrap of macro_f1 adds one of each kind for each class: their part in the spread."""


def guessed_rivals(metric: str, value: float, shares: Sequence[float] = (0.5, 0.5)) -> Rivals:
    """Two models that both reach `value` in `metric`; `shares` are those of the classes (macro_f1 needs them).

    Source: for numbers, the variance of a difference of squares (of absolute values) of two normal errors with the
    correlation ALIKE; for macro_f1, the first-order effect of one more wrong row on each class's F1.
    """
    apart = 1.0 - ALIKE**2
    if metric in {"accuracy", "macro_f1"}:
        error = min(max(1.0 - value, 0.0), 1.0)
        differing = min(LOST_WITH_AN_ERROR * error, 2 * error * (1 - error))
        if metric == "accuracy":
            return Rivals(metric, differing)
        scale = _f1_scale(value, shares)
        return Rivals(metric, math.sqrt(differing) * scale, added=math.sqrt(2 * len(shares)) * scale)
    if metric == "log_loss":
        return Rivals(metric, LOSS_SPREAD)
    if metric == "rmse":
        return Rivals(metric, math.sqrt(apart))
    if metric == "mae":
        together = (math.sqrt(apart) + ALIKE * math.asin(ALIKE) - 1) * 2 / math.pi
        return Rivals(metric, math.sqrt(math.pi * (1 - 2 / math.pi - together)))
    return Rivals(metric, 2 * math.sqrt(apart) * (1 - min(value, 1.0)))


def expected_value(metric: str, required: Mapping[str, float | None]) -> float:
    """What a model is taken to reach in `metric`, by the least values that are required (metric -> value, if any)."""
    least = required.get(metric)
    return USUAL.get(metric, 0.0) if least is None else 1 - OF_ALLOWED * (1 - least)


def measured_rivals(metric: str, rows: int, differing: int, difference: float, lower: float) -> Rivals:
    """What the comparison of two real models on `rows` rows shows (fields as in `intervals.Difference`).

    For accuracy all rows with another answer count, as if one of the two were right on each: a little cautious.
    """
    if metric == "accuracy":
        # One more than were seen: no differing row among a hundred is no proof that there never is one.
        return Rivals(metric, min(1.0, (differing + 1) / rows), measured=True)
    return Rivals(metric, max(difference - lower, 0.0) / Z_ONE_SIDED * math.sqrt(rows), measured=True)


def power(rivals: Rivals, rows: int, may_lose: float) -> float:
    """The probability in [0, 1] that an equally good model is promoted, judged on `rows` test rows.

    Accuracy: over all numbers of differing rows, by the exact bound up to `intervals.FEW` of them and by the normal form
    of the bootstrap above. Other metrics: the difference over n rows is normal round 0.
    """
    if rivals.metric != "accuracy":
        if rivals.spread == 0.0:
            return 1.0
        deviation, added = rivals.spread / math.sqrt(rows), rivals.added / rows
        return _normal((may_lose - Z_ONE_SIDED * math.hypot(deviation, added)) / deviation)
    from scipy.stats import binom

    least, most = (int(edge) for edge in binom.interval(1 - 1e-9, rows, rivals.spread))
    few = np.arange(least, min(most, FEW) + 1)
    many = np.arange(max(least, FEW + 1), most + 1)
    promoted = np.concatenate([_promoted_exact(few, rows, may_lose), _promoted_resampled(many, rows, may_lose)])
    return float(min(1.0, np.sum(binom.pmf(np.concatenate([few, many]), rows, rivals.spread) * promoted)))


def rows_for(rivals: Rivals, may_lose: float, wanted: float = ENOUGH) -> int | None:
    """About how many test rows give the power `wanted`; None when no number of rows does."""
    rows = 10
    while power(rivals, rows, may_lose) < wanted:
        rows *= 2
        if rows > MOST_ROWS:
            return None
    return round(_bisect(lambda count: power(rivals, round(count), may_lose) >= wanted, rows / 2, rows, 0.01))


def margin_for(rivals: Rivals, rows: int, wanted: float = ENOUGH) -> float | None:
    """The smallest `may_lose` that `rows` test rows support with the power `wanted`; None when even 1 is too small."""
    if power(rivals, rows, 1.0) < wanted:
        return None
    return _bisect(lambda margin: power(rivals, rows, margin) >= wanted, 0.0, 1.0, 0.01)


def _promoted_exact(counts: np.ndarray, rows: int, may_lose: float) -> np.ndarray:
    """The probability of a promotion for each number of differing rows, where the exact bound decides."""
    from scipy.stats import binom

    needed, gained = [], 0
    for count in counts.tolist():
        # It never falls: with the gains of a smaller count one more row is lost, and the bound lies lower.
        while gained <= count and exact_lower_bound(gained, count - gained, rows) < -may_lose:
            gained += 1
        needed.append(gained)
    # Of the differing rows of two equally good models each is right on half: a fair coin.
    chances: np.ndarray = binom.sf(np.array(needed, dtype=np.int64) - 1, counts, 0.5)
    return chances


def _promoted_resampled(counts: np.ndarray, rows: int, may_lose: float) -> np.ndarray:
    """The same where the 5 % quantile of a bootstrap decides.

    A resampled difference is a whole number of rows, about normal round the one that was found. Promoted is who has
    fewer than 5 % of the resamples below what is allowed, and with so few resamples that is partly luck.
    """
    from scipy.special import ndtr
    from scipy.stats import binom

    gained = _turning_point(counts, rows, may_lose)[:, None] + np.arange(-WINDOW, WINDOW + 1)[None]
    difference = 2 * gained - counts[:, None]
    deviation = np.sqrt(np.maximum(counts[:, None] - difference**2 / rows, 1.0))
    allowed = -math.floor(may_lose * rows + 1e-9)
    below = ndtr((allowed - 0.5 - difference) / deviation)
    promoted = binom.cdf(math.ceil(RESAMPLES * 0.05) - 1, RESAMPLES, below)
    found = binom.pmf(gained, counts[:, None], 0.5)
    chances: np.ndarray = (found * promoted).sum(axis=1) + binom.sf(gained[:, -1], counts, 0.5)
    return chances


def _turning_point(counts: np.ndarray, rows: int, may_lose: float) -> np.ndarray:
    """For each number of differing rows, how many the candidate must gain for the bound to reach -may_lose."""
    a, share = Z_ONE_SIDED**2 / rows, counts / rows
    # (d + may_lose)^2 = z^2 (share - d^2) / n, solved for the difference d.
    root = np.sqrt(np.maximum((1 + a) * a * share - a * may_lose**2, 0.0))
    turning: np.ndarray = np.round((counts + rows * (root - may_lose) / (1 + a)) / 2).astype(np.int64)
    return turning


def _f1_scale(value: float, shares: Sequence[float]) -> float:
    """How much more one wrong row moves macro F1 than accuracy: 1 for equal classes, more where some are rare.

    A row of class k that goes to class j lowers F1 of k by (2 - F) / 2n_k and that of j by F / 2n_j.
    """
    part = np.array([share for share in shares if share > 0])
    mine, others = (2 - value) / (2 * part), value / 2 * float(np.mean(1 / part))
    return float(np.sqrt(np.sum(part * (mine + others) ** 2))) / len(part)


def _bisect(enough: Callable[[float], bool], low: float, high: float, precision: float) -> float:
    """The smallest value between `low` (not enough) and `high` (enough), to a fraction of itself."""
    while high - low > precision * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _normal(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2))


def often(chance: float) -> str:
    """A probability as people say it."""
    tenths = math.floor(chance * 10 + 1e-9)
    if chance >= 0.99:
        return "almost always"
    return f"{tenths} times in 10" if tenths > 1 else "once in 10 times" if tenths else "almost never"
