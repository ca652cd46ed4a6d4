"""How sure a number is: intervals of one metric, and bounds on the difference of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ferryman.metrics.registry import Metric, metric_named, worse_by
from ferryman.metrics.scores import OverRows

RESAMPLES: Final = 2_000
"""Bootstrap resamples: the Monte Carlo error of a 5 % quantile is then about half a percentage point of its rank."""

FEW: Final = 50
"""Up to this many rows on which only one of two models is right, the exact bound is used: a bootstrap of so few
differences is too narrow (with none it would claim certainty)."""

Z_ONE_SIDED: Final = 1.6448536269514722
Z_TWO_SIDED: Final = 1.959963984540054


def wilson(right: int, rows: int) -> tuple[float, float]:
    """The two-sided 95 % interval of a share of `right` in `rows`.

    Source: Wilson 1927, JASA 22:209-212.
    """
    share, z2 = right / rows, Z_TWO_SIDED**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z_TWO_SIDED / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def interval(metric: str | Metric, target: np.ndarray, answer: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The two-sided 95 % interval of a metric: Wilson for accuracy, percentile bootstrap over rows for the others.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    rows = len(target)
    entry = metric_named(metric) if isinstance(metric, str) else metric
    if entry.name == "accuracy":
        return wilson(int(np.sum(answer.argmax(axis=1) == target)), rows)
    values = _resampled(entry.over_rows(target, answer), rows, seed)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """How much better a candidate is than a champion on the same rows; positive is better, scaled as `worse_by`."""

    candidate: float
    champion: float
    difference: float
    lower: float
    """One-sided 95 % lower bound of the difference."""

    differing: int
    """Rows on which the two do not give the same answer."""

    method: Literal["exact", "bootstrap"]


def compare(metric: str, target: np.ndarray, candidate: np.ndarray, champion: np.ndarray, seed: int = 0) -> Difference:
    """The paired comparison of two models' answers to the same rows, in a built-in metric or one of the user's own."""
    entry = metric_named(metric)
    compute = entry.compute
    values = compute(target, candidate), compute(target, champion)
    difference = _better_by(entry, *values)
    if entry.task == "class":
        differing = int(np.sum(candidate.argmax(axis=1) != champion.argmax(axis=1)))
    else:
        differing = int(np.sum(candidate != champion))
    if metric == "accuracy":
        right, before = candidate.argmax(axis=1) == target, champion.argmax(axis=1) == target
        gained, lost = int(np.sum(right & ~before)), int(np.sum(~right & before))
        if gained + lost <= FEW:
            lower = exact_lower_bound(gained, lost, len(target))
            return Difference(*values, difference, lower, differing, "exact")

    if metric == "macro_f1" and differing <= FEW:
        target, candidate, champion = _with_both_kinds(target, candidate, champion)
    new, old = (entry.over_rows(target, answer) for answer in (candidate, champion))

    def better(chosen: np.ndarray) -> float:
        return _better_by(entry, new(chosen), old(chosen))

    # A difference of whole rows must not miss its bound by the rounding of floats: 0.93 - 0.96 is below -0.03.
    lower = round(float(np.quantile(_resampled(better, len(target), seed), 0.05)), 12)
    return Difference(*values, difference, lower, differing, "bootstrap")


def _with_both_kinds(
    target: np.ndarray, candidate: np.ndarray, champion: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows and, for each class, one that only the candidate and one that only the champion gets right.

    So a bootstrap of few differences does not claim certainty. Of 200 simulated comparisons each of two equal models
    on 100 to 300 rows the bound lay above 0 in none, without these rows in up to 6.5 %.

    Source: Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37:479-488 (one of each kind is
    added to the counts of a paired comparison of shares).
    """
    answers = np.eye(candidate.shape[1])
    right = np.arange(len(answers))
    wrong = np.roll(right, 1)
    return (
        np.concatenate([target, right, right]),
        np.concatenate([candidate, answers[right], answers[wrong]]),
        np.concatenate([champion, answers[wrong], answers[right]]),
    )


def exact_lower_bound(gained: int, lost: int, rows: int) -> float:
    """One-sided 95 % lower bound of P(gained) - P(lost), from rows on which only one of two models is right.

    Two Clopper-Pearson bounds at 97.5 % each: P(gained) from below, P(lost) from above; by Bonferroni both hold with
    95 %, so the bound never covers less, whatever the truth. With no differing row among 1,000 it is -0.0037.

    Source: Clopper and Pearson 1934, Biometrika 26:404-413.
    """
    from scipy.stats import beta

    at_least = float(beta.ppf(0.025, gained, rows - gained + 1)) if gained else 0.0
    at_most = float(beta.ppf(0.975, lost + 1, rows - lost)) if lost < rows else 1.0
    return at_least - at_most


def rows_needed(found: Difference, may_lose: float, rows: int) -> int | None:
    """About how many test rows would put the lower bound above -may_lose if the difference stays what it is.

    The bound's distance shrinks with the root of the rows. None when the difference itself lies at or below
    -may_lose: more rows would not help.
    """
    room = found.difference + may_lose
    distance = found.difference - found.lower
    if room <= 0:
        return None
    return max(rows, math.ceil(rows * (distance / room) ** 2))


def _better_by(metric: Metric, candidate: float, champion: float) -> float:
    """`worse_by` the other way round; two equal models differ by 0 and not by -0."""
    return 0.0 - worse_by(metric, candidate, champion)


def _resampled(statistic: OverRows, rows: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.array([statistic(draw.integers(0, rows, rows)) for _ in range(RESAMPLES)])
