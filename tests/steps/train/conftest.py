"""A small table with every kind of column, fitted once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ferryman.features import features_from, fit_features
from ferryman.models import MlpOptions
from ferryman.models.core import ClassHead, NumberHead, build_core
from ferryman.steps.train.fit import Plan, fit
from ferryman.steps.train.rows import Rows
from ferryman.steps.train.trained import TrainedModel
from ferryman.steps.train.validation import Validation

DOCUMENTS = {
    "mass": {"kind": "number", "missing": "mean"},
    "length": {"kind": "number"},
    "island": {"kind": "category", "missing": "category"},
    "image": {"kind": "image", "columns": {"first": 3, "last": 6}, "shape": [2, 2, 1], "scale": 16},
}
CLASSES = ("a", "é", "z")


def table_rows(rows: int, seed: int) -> Rows:
    """Rows whose class follows from `mass` and `island`: a, é, or z where both say so."""
    random = np.random.default_rng(seed)
    heavy, island = random.integers(0, 2, rows), random.integers(0, 3, rows)
    mass = (3500 + 1500 * heavy + random.normal(0, 100, rows)).astype(np.float32)
    mass[::11] = np.nan
    heavy[::11] = 0
    raw = {
        "mass": mass,
        "length": random.normal(40, 5, rows).astype(np.float32),
        "island": np.array(["", "Biscoe", "Île"], dtype=object)[island],
        "image": random.integers(0, 17, (rows, 2, 2, 1)).astype(np.uint8),
    }
    return Rows(raw, (heavy + (island == 2)).astype(np.int64))


def build(train: Rows, head: Any) -> TrainedModel:
    import keras

    keras.utils.set_random_seed(1)
    features = features_from(DOCUMENTS)
    fitted = fit_features(features, train.raw)
    return TrainedModel(
        features, fitted, head, build_core(MlpOptions(kind="mlp", hidden=(16,)), features, fitted, head)
    )


@pytest.fixture(scope="session")
def make_rows() -> Any:
    """`make_rows(rows, seed)`."""
    return table_rows


@pytest.fixture(scope="session")
def make_model() -> Any:
    """`make_model(rows, head)`: freshly initialised."""
    return build


@pytest.fixture(scope="session")
def class_model() -> TrainedModel:
    """Fitted until it is mostly right."""
    train = table_rows(400, 1)
    model = build(train, ClassHead(CLASSES))
    validation = Validation(model, model.device_tensors(train.raw), train.target, ["accuracy"])
    plan = Plan(epochs=15, batch_size=32, optimizer="adam", learning_rate=0.02)
    fit(model.core_model, plan, model.device_tensors(train.raw), train.target, validation=validation)
    return model


@pytest.fixture(scope="session")
def number_model() -> TrainedModel:
    """Not fitted; answers around 4,200."""
    return build(table_rows(50, 2), NumberHead(4200.0, 800.0))


@pytest.fixture(scope="session")
def saved_models(class_model: TrainedModel, number_model: TrainedModel, tmp_path_factory: Any) -> dict[str, Path]:
    """Both models as SavedModels."""
    from ferryman.steps.train.export import export_saved_model

    folder: Path = tmp_path_factory.mktemp("saved")
    export_saved_model(class_model, folder / "class")
    export_saved_model(number_model, folder / "number")
    return {"class": folder / "class", "number": folder / "number"}
