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

    Epochs that are reported from 0 on are told from 1 on, as ours are. A loop that reports none leaves an empty history.

    Raises:
        UserCodeError: `fit` fails, or reports what is no number. StepError: a weight is not finite.
    """
    history, author = History(), core.author
    first: list[int] = []

    def report(epoch: int, numbers: Mapping[str, float]) -> None:
        if not all(isinstance(value, float | int | np.number) and math.isfinite(value) for value in numbers.values()):
            raise wrong(author.fit, f"context.report: received {dict(numbers)!r}, expected finite numbers by name")
        first.append(int(epoch))
        number = int(epoch) + (first[0] == 0)
        measured = {f"validation_{name}": value for name, value in validation.measure().items()}
        told_numbers = {name: float(value) for name, value in numbers.items()} | measured
        history.epochs.append({"epoch": number, **told_numbers})
        history.best = number
        told(number, told_numbers)

    compile_core(core, plan, math.ceil(len(target) / plan.batch_size), classes=target.dtype.kind in "iu")
    train = FitRows(device, target)
    watched = FitRows(validation.device, validation.trainable)
    with blaming(author.fit, f"{type(author).__name__}.fit fails"):
        author.fit(core.trained, train, watched, replace(core.context, report=report))
    last = history.epochs[-1] if history.epochs else {}
    check_finite(last.get(LOSS, 0.0), core, plan, history.best)
    return history
