import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ferryman.errors import StepError
from ferryman.models.core import ClassHead, NumberHead
from ferryman.steps.train.fit import Plan, fit
from ferryman.steps.train.trained import TrainedModel
from ferryman.steps.train.validation import Validation, loss

CLASSES = ("a", "é", "z")


class Scripted(Validation):
    """Validation that answers from a list instead of the model."""

    def __init__(self, values: list[float]) -> None:
        self.values: Iterator[float] = iter(values)
        self.weights: list[np.ndarray] = []

    def measure(self) -> dict[str, float]:
        self.latest = {"accuracy": next(self.values), "loss": 0.0}
        return self.latest


def fitted(make_model: Any, make_rows: Any, validation: Any, told: Any = None, **plan: Any) -> tuple[Any, TrainedModel]:
    rows = make_rows(64, 1)
    model = make_model(rows, ClassHead(CLASSES))
    settings = {"epochs": 8, "batch_size": 30, "optimizer": "adam", "learning_rate": 0.01, **plan}
    history = fit(
        model.core_model,
        Plan(**settings),
        model.device_tensors(rows.raw),
        rows.target,
        validation=validation,
        told=told(model) if told else lambda epoch, numbers: None,
    )
    return history, model


def test_fitting_stops_when_the_metric_no_longer_gets_better_and_keeps_the_best_weights(
    make_model: Any, make_rows: Any
) -> None:
    seen: list[np.ndarray] = []

    def told(model: TrainedModel) -> Any:
        return lambda epoch, numbers: seen.append(model.core_model.exported.get_weights()[-1].copy())

    # More accuracy is better: taken the wrong way round, epoch 3 would be the best.
    history, model = fitted(
        make_model, make_rows, Scripted([0.5, 0.9, 0.4, 0.6, 0.9, 0.99]), told, stop_metric="accuracy", patience=3
    )
    assert (history.best, len(history.epochs)) == (2, 5)
    np.testing.assert_array_equal(model.core_model.exported.get_weights()[-1], seen[1])
    assert not np.array_equal(seen[1], seen[4])


@pytest.mark.parametrize("patience", [0, 3])
def test_without_a_stop_all_epochs_run_and_the_last_weights_stay(
    make_model: Any, make_rows: Any, patience: int
) -> None:
    history, _ = fitted(make_model, make_rows, Scripted([0.9, 0.1, 0.1]), epochs=3, patience=patience)
    assert (history.best, [epoch["epoch"] for epoch in history.epochs]) == (3, [1, 2, 3])


@pytest.mark.parametrize("batch_size", [30, 1000])
def test_a_plan_of_few_steps_takes_just_these(make_model: Any, make_rows: Any, batch_size: int) -> None:
    history, model = fitted(make_model, make_rows, Scripted([0.1] * 9), epochs=2, steps=5, batch_size=batch_size)
    assert int(model.core_model.trained.optimizer.iterations) == 10
    assert len(history.epochs) == 2


def test_a_wild_learning_rate_ends_with_advice(make_model: Any, make_rows: Any) -> None:
    with pytest.raises(StepError, match=re.escape("train.optimizer.learning_rate (now 1e+30)")):
        fitted(make_model, make_rows, Scripted([0.5] * 8), optimizer="sgd", learning_rate=1e30)


def test_validation_that_is_not_finite_ends_with_advice(make_model: Any, make_rows: Any) -> None:
    rows = make_rows(20, 2)
    model = make_model(rows, ClassHead(CLASSES))
    device = model.device_tensors(rows.raw)
    model.core_model.exported.get_layer("head.logits").bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(StepError, match="validation metric loss is nan"):
        Validation(model, device, rows.target).measure()


def test_the_loss_of_numbers_is_counted_in_deviations() -> None:
    target, prediction = np.array([100.0, 300.0]), np.array([140.0, 300.0], np.float32)
    assert loss(NumberHead(mean=200.0, deviation=20.0), target, prediction) == pytest.approx((2**2 + 0) / 2)


def test_the_loss_of_classes_is_the_cross_entropy_in_nats() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    expected = -(np.log(0.5) + np.log(0.25)) / 2
    assert loss(ClassHead(("a", "b")), np.array([0, 0]), probabilities) == pytest.approx(expected)


def test_a_model_learns_what_can_be_learned(class_model: TrainedModel, make_rows: Any) -> None:
    unseen = make_rows(300, 9)
    answers = class_model.answers(unseen.raw)["probabilities"]
    assert (answers.argmax(axis=1) == unseen.target).mean() > 0.9
