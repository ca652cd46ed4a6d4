"""Small models exported as the step `train` exports them, so that this step is tested without training."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferryman.artifacts.manifest import seal
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.data.examples import ExamplesWriter
from ferryman.features import (
    features_from,
    fit_features,
    preprocess_document,
    raw_tensors,
)
from ferryman.models import CnnOptions, MlpOptions
from ferryman.models.core import ClassHead, NumberHead, build_core
from ferryman.spec import spec_from
from ferryman.steps.train.export import export_saved_model
from ferryman.steps.train.trained import TrainedModel

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROWS = 300


def _table(encode: Callable[[Any], Any], number: bool = False) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    inputs = {
        "mass": keras.Input((), name="mass"),
        "mass_missing": keras.Input((), name="mass_missing"),
        "island": keras.Input((), dtype="int32", name="island"),
    }
    column = keras.layers.Reshape((1,))
    parts = [column(inputs["mass"]), column(inputs["mass_missing"]), encode(inputs["island"])]
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()(parts))
    if number:
        return keras.Model(inputs, keras.layers.Reshape(())(keras.layers.Dense(1)(hidden)))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))


def _image() -> Any:
    import keras

    keras.utils.set_random_seed(4)
    image = keras.Input((8, 8, 1), dtype="uint8", name="image")
    hidden = keras.layers.Rescaling(1 / 255)(image)
    hidden = keras.layers.Conv2D(8, 3, activation="relu")(hidden)
    hidden = keras.layers.Flatten()(keras.layers.MaxPooling2D()(hidden))
    classes = keras.layers.Dense(10, activation="softmax", kernel_initializer="he_normal")(hidden)
    return keras.Model({"image": image}, classes)


def _export(model: Any, output: str, folder: Path) -> Path:
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in model.inputs]
    signature = {spec.name: spec for spec in specs}
    archive.add_endpoint("core", lambda device: {output: model(device)}, input_signature=[signature])
    archive.write_out(str(folder), verbose=False)
    return folder


@pytest.fixture(scope="session")
def device_tensors() -> dict[str, dict[str, np.ndarray]]:
    """Device tensors of ROWS rows for both families."""
    random = np.random.default_rng(5)
    missing = random.random(ROWS) < 0.2
    return {
        "table": {
            "mass": np.where(missing, 0.0, random.normal(size=ROWS)).astype(np.float32),
            "mass_missing": missing.astype(np.float32),
            "island": random.integers(0, 5, ROWS).astype(np.int32),
        },
        "image": {"image": random.integers(0, 256, (ROWS, 8, 8, 1)).astype(np.uint8)},
    }


@pytest.fixture(scope="session")
def core_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The SavedModel of a kind of `core`: table, one_hot, number or image; each is exported once."""
    made: dict[str, Path] = {}

    def build(kind: str) -> Any:
        import keras

        match kind:
            case "one_hot":
                return _table(lambda ids: keras.ops.one_hot(ids, 5))
            case "image":
                return _image()
            case _:
                return _table(keras.layers.Embedding(5, 4), number=kind == "number")

    def model(kind: str) -> Path:
        if kind not in made:
            output = "value" if kind == "number" else "probabilities"
            made[kind] = _export(build(kind), output, tmp_path_factory.mktemp("core") / kind)
        return made[kind]

    return model


@pytest.fixture(scope="session")
def core_answers(core_models: Callable[[str], Path]) -> Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """What `core` of a kind answers to device tensors."""

    def answers(kind: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(core_models(kind)))
        outputs = loaded.signatures["core"](**{name: tf.constant(tensor) for name, tensor in tensors.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return answers


PENGUINS: dict[str, dict[str, Any]] = {
    "mass": {"kind": "number", "missing": "mean"},
    "bill": {"kind": "number"},
    "island": {"kind": "category", "missing": "category"},
}
DIGITS: dict[str, dict[str, Any]] = {
    "image": {"kind": "image", "columns": {"first": 0, "last": 63}, "shape": [8, 8, 1], "scale": 16}
}
SIZES = {"train": 240, "validation": 30, "test": 120}


@dataclass(frozen=True)
class Road:
    """What lies before the step: the folders of its two input artifacts and the resolved run."""

    examples: Path
    model: Path
    resolved: str


@pytest.fixture(scope="session")
def make_road(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Road]:
    """The road of a task (`class`, `number` or `image`) up to this step.

    The labels are what the model itself answers, every tenth one another: so it need not be trained, and its accuracy
    is about 0.9. `wrong` may spoil the model's folder before it is sealed; `convert` and `gate` go into the spec.
    """

    def make(
        task: str,
        wrong: Callable[[Path], None] | None = None,
        convert: dict[str, Any] | None = None,
        gate: dict[str, Any] | None = None,
    ) -> Road:
        folder = tmp_path_factory.mktemp(task)
        options = DIGITS if task == "image" else PENGUINS
        tables = {split: _rows(task, count, seed) for seed, (split, count) in enumerate(SIZES.items())}
        labels = _make_model(task, options, tables, folder / "model")
        if wrong:
            wrong(folder / "model")
        seal(folder / "model", "model", "test")
        _make_examples(task, tables, labels, folder / "examples")
        return Road(folder / "examples", folder / "model", _resolved(task, options, convert or {}, gate or {}))

    return make


def _rows(task: str, count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    if task == "image":
        pixels = random.integers(0, 17, (count, 64)).astype(np.uint8)
        return pa.table({"image": pa.array([row.tobytes() for row in pixels], pa.binary(64))})
    mass = random.normal(4200, 800, count)
    islands = np.array(["Biscoe", "Dream", "Torgersen", "Åland", None], dtype=object)
    island = islands[random.choice(5, count, p=[0.4, 0.3, 0.2, 0.05, 0.05])]
    return pa.table(
        {
            "mass": pa.array(
                [None if missing else value for missing, value in zip(random.random(count) < 0.1, mass, strict=True)]
            ),
            "bill": pa.array(random.normal(40, 5, count)),
            "island": pa.array(list(island), pa.string()),
        }
    )


def _make_model(task: str, options: dict[str, Any], tables: dict[str, pa.Table], folder: Path) -> dict[str, list[Any]]:
    """Write the model artifact without its manifest; returns the labels of every split."""
    import keras

    keras.utils.set_random_seed(11)
    features = features_from(options)
    fitted = fit_features(features, raw_tensors(features, tables["train"]))
    classes = [str(number) for number in range(10)] if task == "image" else ["Adelie", "Chinstrap", "Gentoo"]
    head = NumberHead(4.0, 2.5) if task == "number" else ClassHead(tuple(classes))
    family = CnnOptions(kind="cnn", filters=(8,), dense=16) if task == "image" else MlpOptions(kind="mlp", hidden=(32,))
    model = TrainedModel(features, fitted, head, build_core(family, features, fitted, head))
    export_saved_model(model, folder / "saved_model")
    numeric = task == "number"
    card = {
        "name": "penguins",
        "task": "number" if numeric else "class",
        "classes": [] if numeric else classes,
        "features": {name: feature.model_dump(mode="json") for name, feature in features.items()},
        "fitted": fitted,
        "label": {},
        "split": {},
        "seed": 11,
        "content": "c" * 64,
        "outputs": model.outputs,
        "device": [{"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)} for spec in model.device_specs],
    }
    ModelCard.model_validate(card).write(folder / "model.json")
    (folder / "preprocess.json").write_text(json.dumps(preprocess_document(features, fitted)), encoding="utf-8")
    return {split: _labels(model.answers(raw_tensors(features, table)), classes) for split, table in tables.items()}


def _labels(answers: dict[str, np.ndarray], classes: list[str]) -> list[Any]:
    if "value" in answers:
        return [float(value) + (0.5 if row % 2 else -0.5) for row, value in enumerate(answers["value"])]
    best = answers["probabilities"].argmax(axis=1)
    return [classes[(index + (row % 10 == 0)) % len(classes)] for row, index in enumerate(best)]


def _resolved(task: str, options: dict[str, Any], convert: dict[str, Any], gate: dict[str, Any]) -> str:
    document = {
        "spec": 1,
        "name": "penguins",
        "data": {
            "source": {"name": "rows.csv", "uri": "file:///rows.csv", "sha256": "5" * 64},
            "format": {"kind": "csv"},
            "features": options,
            "label": {"kind": "number" if task == "number" else "class", "column": "species"},
            "split": {"kind": "exact"},
        },
        "model": {"kind": "cnn", "filters": [8], "dense": 16} if task == "image" else {"kind": "mlp", "hidden": [32]},
        "train": {},
        "convert": convert,
        "gate": {"require": [], **gate},
    }
    spec = spec_from(document).document()
    return ResolvedRun(spec=spec, as_of="2026-11-24T12:00:00Z", spec_sha256="a" * 64, resolved_sha256="b" * 64).text()


def _make_examples(task: str, tables: dict[str, pa.Table], labels: dict[str, list[Any]], folder: Path) -> None:
    writer = ExamplesWriter(folder)
    for split, table in tables.items():
        rows = pa.array([f"{split}-{number:05}" for number in range(table.num_rows)])
        label = pa.array(labels[split], pa.float64() if task == "number" else pa.string())
        whole = table.add_column(0, "row", rows).append_column("label", label)
        writer.write_split(split, [whole.slice(0, 25), whole.slice(25)])
    seal(folder, "examples", "test")
