"""Small models exported as the step `train` exports them, so that this step is tested without training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from road import Road, lay_road

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


@pytest.fixture(scope="session")
def make_road(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Road]:
    """`make_road(task, ...)`: the road up to this step, see `lay_road`."""

    def make(task: str, *options: Any, **named: Any) -> Road:
        return lay_road(tmp_path_factory.mktemp(task), task, *options, **named)

    return make
