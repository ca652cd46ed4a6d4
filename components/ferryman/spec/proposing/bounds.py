"""Bounds that so many test rows can support: what beats knowing nothing, and what two equally good models may differ by."""

from __future__ import annotations

import math
from typing import Final

from ferryman.metrics.intervals import FEW, exact_lower_bound, wilson

DIFFERENT: Final = 0.1
"""The share of rows on which exactly one of two trainings is right, taken from above: MNIST has 0.02, tables 0.05 to 0.1."""

Z_ONE_SIDED: Final = 1.6448536269514722

Z_NINE_IN_TEN: Final = 1.2815515655446004
"""One of ten differences lies further on its bad side."""

IMBALANCED: Final = 0.8
"""From this share of one class on, accuracy says little; the mean F1 over all classes says more."""


def beats_majority(share: float, rows: int) -> float:
    """The accuracy that is surely better than always answering the most frequent class, of `share`, on so many rows.

    It is the upper end of the 95 % interval (Wilson) of that answer's accuracy.
    """
    _, high = wilson(round(share * rows), rows)
    return _up(high, 0.999)


def beats_majority_f1(share: float, classes: int, rows: int) -> float:
    """The macro F1 that is surely better than that of always answering the most frequent class.

    That answer has F1 2p/(1+p) for its own class and 0 for the others; what could be chance is added: the upper end of
    the 95 % interval of a share of 0 among the other classes' rows.
    """
    others = max(1, round((1 - share) * rows))
    return _up((2 * share / (1 + share) + wilson(0, others)[1]) / classes, 0.95)


def beats_mean(rows: int) -> float:
    """The r2 that is surely better than always answering the mean, which has 0, on so many rows.

    A root mean square of n normal errors has the relative standard error 1/sqrt(2n); the bound lies 1.64 of them below
    the label's own deviation.
    """
    error = max(0.0, 1 - Z_ONE_SIDED / math.sqrt(2 * rows))
    return _up(min(1 - error**2, 0.9), 0.9)


def champion_accuracy(share: float, rows: int) -> float:
    """How much accuracy a candidate may lose so that an equally good one is promoted nine times in ten.

    Two trainings are right on different rows: on up to a tenth of them, and on no more than the most frequent class (of
    `share`) leaves to be learned. Nine times in ten the candidate's bound then lies no lower than this.
    """
    differing = max(1, round(min(DIFFERENT, 1 - share) * rows))
    return _up(max(-_exact(min(differing, FEW), rows), -_normal(differing, rows)), 0.5)


def champion_rmse(rows: int) -> float:
    """The same of the root mean square error, as a fraction of the champion's.

    The two errors' logarithms differ by 1/sqrt(2n) where half of each squared error is common to both.
    """
    return _up((Z_ONE_SIDED + Z_NINE_IN_TEN) / math.sqrt(2 * rows), 0.5)


def converted_accuracy(rows: int) -> float:
    """How much accuracy a conversion may lose: half a point, or three test rows where these are more."""
    return _up(max(0.005, 3 / rows), 0.1)


def _exact(differing: int, rows: int) -> float:
    """The exact lower bound of the tenth-worst of ten equally good candidates that differ on so many rows."""
    gained = max(0, math.floor((differing - Z_NINE_IN_TEN * math.sqrt(differing)) / 2))
    return exact_lower_bound(gained, differing - gained, rows)


def _normal(differing: int, rows: int) -> float:
    """The same where the rows are many: what the bootstrap's quantile then is."""
    return -(Z_ONE_SIDED + Z_NINE_IN_TEN) * math.sqrt(differing) / rows


def _up(value: float, most: float) -> float:
    """Rounded up to two digits, three below 0.1, and no more than `most`."""
    digits = 2 if value >= 0.1 else 3
    scale = 10.0**digits
    return min(math.ceil(round(value * scale, 6)) / scale, most)
