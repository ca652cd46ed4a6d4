"""Fitting by the user's own loop: it reports epochs, and whatever weights the model has afterwards count."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ferryman.code.place import blaming, wrong
from ferryman.models.user import FitRows
from ferryman.models.user_core import UserCore
from ferryman.steps.train.fit import LOSS, History, Plan, Tensors, check_finite, compile_core
from ferryman.steps.train.validation import Validation


def fit_by_author(
    core: UserCore,
    plan: Plan,
    device: Tensors,
    target: np.ndarray,
    *,
    validation: Validation,
    told: Callable[[int, dict[str, float]], None] = lambda epoch, numbers: None,
) -> History:
    """Let the user's `fit` find the weights; the validation metrics of each reported epoch are measured beside its numbers.

    Raises:
        UserCodeError: `fit` fails, or reports what is no number. StepError: a weight is not finite.
    """
    history, author = History(), core.author

    def report(epoch: int, numbers: Mapping[str, float]) -> None:
        if not all(isinstance(value, float | int | np.number) and math.isfinite(value) for value in numbers.values()):
            raise wrong(author.fit, f"context.report: received {dict(numbers)!r}, expected finite numbers by name")
        measured = {f"validation_{name}": value for name, value in validation.measure().items()}
        told_numbers = {name: float(value) for name, value in numbers.items()} | measured
        history.epochs.append({"epoch": int(epoch), **told_numbers})
        history.best = int(epoch)
        told(int(epoch), told_numbers)

    compile_core(core, plan, math.ceil(len(target) / plan.batch_size), classes=target.dtype.kind in "iu")
    train = FitRows(device, target)
    watched = FitRows(validation.device, validation.trainable)
    with blaming(author.fit, f"{type(author).__name__}.fit fails"):
        author.fit(core.trained, train, watched, replace(core.context, report=report))
    if not history.epochs:
        report(1, {})
    check_finite(history.epochs[-1].get(LOSS, 0.0), core, plan, history.best)
    return history
