"""The metrics of both tasks over plain arrays.

Classes: `target` int [n] holds class indexes, `answer` float [n, k] probabilities. Numbers: both float [n].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

OverRows = Callable[[np.ndarray], float]
"""A metric as a function of which rows (indexes [m]) it is taken over."""

EPSILON = 1e-7
"""Probabilities are clipped to [1e-7, 1] before the logarithm: a float32 model can answer 0 for the true class."""


def accuracy(target: np.ndarray, answer: np.ndarray) -> float:
    """The share of rows whose most probable class is the true one, in [0, 1]."""
    return accuracy_over(target, answer)(np.arange(len(target)))


def accuracy_over(target: np.ndarray, answer: np.ndarray) -> OverRows:
    """`accuracy` of any choice of the rows."""
    right = answer.argmax(axis=1) == target
    return lambda chosen: float(np.mean(right[chosen]))


def log_loss(target: np.ndarray, answer: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability, in nats."""
    return log_loss_over(target, answer)(np.arange(len(target)))


def log_loss_over(target: np.ndarray, answer: np.ndarray) -> OverRows:
    """`log_loss` of any choice of the rows."""
    losses = row_log_loss(target, answer)
    return lambda chosen: float(np.mean(losses[chosen]))


def row_log_loss(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The log loss of each row [n], in nats."""
    wide = np.asarray(answer, dtype=np.float64)
    true = wide[np.arange(len(target)), target] / wide.sum(axis=1)
    return np.asarray(-np.log(np.clip(true, EPSILON, 1.0)))


def confusion_matrix(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [k, k]: rows are true classes, columns predicted ones."""
    return _counts(target * classes + predicted, classes)


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """`precision`, `recall`, `f1` [k] in [0, 1] and `rows` [k]; 0 where nothing was predicted or nothing is there.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7 (F with equal weights).
    """
    right = np.diag(confusion).astype(np.float64)
    predicted, rows = confusion.sum(axis=0), confusion.sum(axis=1)
    return {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, rows),
        "f1": _ratio(2 * right, predicted + rows),
        "rows": rows.astype(np.float64),
    }


def macro_f1(target: np.ndarray, answer: np.ndarray) -> float:
    """The mean F1, each class with the same weight, in [0, 1]; a class that no row has and no answer names is left out."""
    return macro_f1_over(target, answer)(np.arange(len(target)))


def macro_f1_over(target: np.ndarray, answer: np.ndarray) -> OverRows:
    """`macro_f1` of any choice of the rows."""
    classes = answer.shape[1]
    cells = target * classes + answer.argmax(axis=1)

    def over(chosen: np.ndarray) -> float:
        confusion = _counts(cells[chosen], classes)
        seen = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
        return float(per_class(confusion)["f1"][seen].mean())

    return over


def rmse(target: np.ndarray, answer: np.ndarray) -> float:
    """Root of the mean squared error, in the label's unit."""
    return rmse_over(target, answer)(np.arange(len(target)))


def rmse_over(target: np.ndarray, answer: np.ndarray) -> OverRows:
    """`rmse` of any choice of the rows."""
    squares = _errors(target, answer) ** 2
    return lambda chosen: float(np.sqrt(np.mean(squares[chosen])))


def mae(target: np.ndarray, answer: np.ndarray) -> float:
    """Mean absolute error, in the label's unit."""
    return mae_over(target, answer)(np.arange(len(target)))


def mae_over(target: np.ndarray, answer: np.ndarray) -> OverRows:
    """`mae` of any choice of the rows."""
    sizes = np.abs(_errors(target, answer))
    return lambda chosen: float(np.mean(sizes[chosen]))


def r2(target: np.ndarray, answer: np.ndarray) -> float:
    """The share of the label's variance that is explained, at most 1; 0 for a label without variance."""
    wide = np.asarray(target, dtype=np.float64)
    # Compared and not subtracted: the mean of equal numbers differs from them by rounding.
    if wide.min() == wide.max():
        return 0.0
    return 1.0 - float(np.sum(_errors(target, answer) ** 2)) / float(np.sum((wide - wide.mean()) ** 2))


def _counts(cells: np.ndarray, classes: int) -> np.ndarray:
    """Confusion counts [k, k] of cell numbers [n]: true class * k + predicted one."""
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _errors(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    errors: np.ndarray = np.asarray(answer, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    return errors


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return shares
