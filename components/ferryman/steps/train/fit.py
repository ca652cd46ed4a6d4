"""Fitting: epochs over the train split until the validation metric stops improving; the best weights are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ferryman.errors import StepError
from ferryman.models.batches import batches
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

    steps: int | None = None
    """Batches per epoch, rows repeated when they are too few; None: all rows once."""


@dataclass
class History:
    """What each epoch gave: `loss` on the train split, `validation_NAME` on the validation split."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    """Epoch whose weights were kept, counted from 1; 0 where a loop of the user's own reported none."""

    @property
    def shown(self) -> str:
        """The number of an epoch that people are shown first: the loss, or whatever stands first where there is none.

        Empty where an epoch has no numbers of its own.
        """
        own = [name for name in (self.epochs or [{}])[-1] if name != "epoch" and not name.startswith("validation_")]
        return LOSS if LOSS in own else (own or [""])[0]

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
    passes = batches(device, target, plan.batch_size, steps=plan.steps)
    compile_core(core, plan, len(passes), classes=target.dtype.kind in "iu")
    history, best, waited = History(), math.inf, 0
    weights = core.trained.get_weights()
    for epoch in range(1, plan.epochs + 1):
        numbers = _fit_epoch(core, passes, epoch)
        check_finite(numbers.get(LOSS, 0.0), core, plan, epoch)
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


def _fit_epoch(core: Core, passes: Any, epoch: int) -> dict[str, float]:
    """One pass over the batches; what it gave by name. A user's own `train_step` may give other numbers, and no loss."""
    import keras

    losses: list[float] = []
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append((logs or {}).get(LOSS, 0.0)))
    callbacks = [each] if _own_step(core) else []
    fitted = core.trained.fit(
        passes, initial_epoch=epoch - 1, epochs=epoch, verbose=0, shuffle=False, callbacks=callbacks
    )
    numbers = {name: float(np.mean(values[0])) for name, values in fitted.history.items()}
    if losses and numbers.get(LOSS) == 0.0:
        # Keras (3.15) shows its own tracker's loss, which a `train_step` of one's own need not feed.
        numbers[LOSS] = float(np.mean(losses))
    return numbers


def _own_step(core: Core) -> bool:
    """Whether the model has a `train_step` of its own."""
    import keras

    return type(core.trained).train_step is not keras.Model.train_step


def compile_core(core: Core, plan: Plan, steps: int, *, classes: bool) -> None:
    """Give `core.trained` the plan's optimizer and the loss of its task, unless it brings its own."""
    import keras

    if core.compiled:
        return
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    core.trained.compile(
        optimizer=optimizers[plan.optimizer](learning_rate=plan.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=not core.foreign)
        if classes
        else keras.losses.MeanSquaredError(),
        # Of several steps in one call a `train_step` of one's own tells only the last one's numbers.
        steps_per_execution=1 if _own_step(core) else min(steps, STEPS_PER_CALL),
    )


def check_finite(loss: float, core: Core, plan: Plan, epoch: int) -> None:
    """Refuse to go on with a loss or with weights that are not finite.

    Raises:
        StepError: says which, and what to try.
    """
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
