"""Fitting: epochs over the train split until the validation metric stops improving; the best weights are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ferryman.errors import StepError
from ferryman.models.core import Core
from ferryman.steps.train.validation import Validation

LOSS = "loss"
STEPS_PER_CALL = 16
"""Batches per call into TensorFlow: small steps cost half as much as one by one, and more gains nothing."""

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How to fit: the `train` block of the spec."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    stop_metric: str | None = None
    """The validation metric that decides when to stop and which weights are best; None: the last weights count."""

    patience: int = 3
    """Epochs without a better value before fitting stops."""


@dataclass
class History:
    """What each epoch gave: `loss` on the train split, `validation_NAME` on the validation split."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    """Epoch whose weights were kept, counted from 1."""

    def document(self) -> dict[str, Any]:
        """As `history.json` holds it."""
        return {"best_epoch": self.best, "epochs": self.epochs}


def fit(
    core: Core,
    plan: Plan,
    device: Tensors,
    target: np.ndarray,
    *,
    validation: Validation,
    told: Callable[[int, dict[str, float]], None] = lambda epoch, numbers: None,
) -> History:
    """Fit `core` to device tensors [n, ...] and targets [n] (class ids or standardised numbers); keep the best weights.

    `told` gets each epoch, counted from 1, with its numbers.

    Raises:
        StepError: the loss or a weight is no longer finite; says what to try.
    """
    batches = _batches(device, target, plan.batch_size)
    _compile(core, plan, len(batches), classes=target.dtype.kind in "iu")
    history, best, waited = History(), math.inf, 0
    weights = core.trained.get_weights()
    for epoch in range(1, plan.epochs + 1):
        fitted = core.trained.fit(batches, initial_epoch=epoch - 1, epochs=epoch, verbose=0, shuffle=False)
        numbers = {LOSS: float(fitted.history[LOSS][0])}
        _check_finite(numbers[LOSS], core, plan, epoch)
        numbers |= {f"validation_{name}": value for name, value in validation.measure().items()}
        history.epochs.append({"epoch": epoch, **numbers})
        told(epoch, numbers)
        score = validation.cost(plan.stop_metric) if plan.stop_metric else -epoch
        if score < best:
            best, waited, history.best, weights = score, 0, epoch, core.trained.get_weights()
        else:
            waited += 1
        if plan.stop_metric and waited >= plan.patience:
            break
    core.trained.set_weights(weights)
    return history


def _batches(device: Tensors, target: np.ndarray, size: int) -> Any:
    """A shuffled `tf.data.Dataset`, another order in each pass; indexes are shuffled, rows gathered by batch."""
    import tensorflow as tf

    columns = {name: tf.constant(tensor) for name, tensor in device.items()}
    wanted, rows = tf.constant(target), len(target)
    order = tf.data.Dataset.range(rows).shuffle(rows, reshuffle_each_iteration=True).batch(size)
    return order.map(
        lambda chosen: (
            {name: tf.gather(column, chosen) for name, column in columns.items()},
            tf.gather(wanted, chosen),
        )
    ).prefetch(4)


def _compile(core: Core, plan: Plan, steps: int, *, classes: bool) -> None:
    import keras

    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    core.trained.compile(
        optimizer=optimizers[plan.optimizer](learning_rate=plan.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if classes
        else keras.losses.MeanSquaredError(),
        steps_per_execution=min(steps, STEPS_PER_CALL),
    )


def _check_finite(loss: float, core: Core, plan: Plan, epoch: int) -> None:
    if math.isfinite(loss):
        wild = [weight.path for weight in core.trained.weights if not np.isfinite(weight.numpy()).all()]
        if not wild:
            return
        what = f"the weights {', '.join(wild[:3])} are not finite"
    else:
        what = f"the loss is {loss}"
    raise StepError(
        f"{what} after epoch {epoch}, expected finite numbers: try a lower train.optimizer.learning_rate "
        f"(now {plan.learning_rate:g}), or look for extreme values in the features"
    )
