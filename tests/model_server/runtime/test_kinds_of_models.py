"""Models as people make them: Keras in its three styles, and TensorFlow Serving's own test models where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_testdata import found, needs_testdata

from ferryman.model_server.core import Refusal
from ferryman.model_server.runtime.lite import LiteModel
from ferryman.model_server.runtime.saved_model import SavedModel


def sequential_images() -> tuple[Any, dict[str, np.ndarray]]:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return model, {"image": np.arange(2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)}


def functional_columns() -> tuple[Any, dict[str, np.ndarray]]:
    import keras
    from keras import layers

    age, city = keras.Input((1,), name="age"), keras.Input((1,), name="city", dtype="string")
    known = layers.StringLookup(vocabulary=["Kiel", "Köln"], output_mode="one_hot")(city)
    output = layers.Dense(2, activation="softmax")(
        layers.Concatenate()([layers.Normalization(mean=30, variance=9)(age), known])
    )
    cities = np.array([["Köln".encode()], [b"Kiel"], [b"?"]], object)
    return keras.Model({"age": age, "city": city}, {"p": output}), {
        "age": np.array([[30], [40], [50]], np.float32),
        "city": cities,
    }


def subclassed() -> tuple[Any, dict[str, np.ndarray]]:
    import keras
    from keras import layers

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return keras.ops.tanh(self.dense(x))

    model, inputs = Own(), {"x": np.ones((3, 4), np.float32)}
    model(inputs["x"])
    return model, inputs


@pytest.mark.parametrize("make", [sequential_images, functional_columns, subclassed])
def test_a_keras_model_answers_as_it_does_in_keras(
    make: Callable[[], tuple[Any, dict[str, np.ndarray]]], tmp_path: Path
) -> None:
    model, inputs = make()
    model.export(str(tmp_path / "1"), verbose=False)
    served = SavedModel(tmp_path / "1")
    aliases = served.signatures["serving_default"].inputs
    # Keras names a single input as it likes.
    sent = dict(zip(aliases, inputs.values(), strict=True)) if len(inputs) == 1 else inputs
    (answer,) = served.run("", sent).values()
    import tensorflow as tf

    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    expected = model(tensors if len(inputs) > 1 else next(iter(tensors.values())))
    expected = expected["p"] if isinstance(expected, dict) else expected
    np.testing.assert_allclose(answer, np.asarray(expected), rtol=1e-5, atol=1e-6)


# TensorFlow Serving's own

ADDS = {
    "saved_model_half_plus_two_cpu": 2,
    "saved_model_half_plus_two_2_versions": 2,
    "saved_model_half_plus_two_mkl": 2,
    "saved_model_half_plus_two_mlmd": 2,
    "saved_model_half_plus_two_tf2_cpu": 2,
    "saved_model_half_plus_two_cpu_with_saved_model_config": 2,
    "saved_model_half_plus_two_cpu_with_empty_saved_model_config": 2,
    "saved_model_half_plus_three": 3,
}


@needs_testdata
@pytest.mark.parametrize("name", ADDS)
def test_half_plus_something_answers(name: str) -> None:
    for folder in sorted(found(name).iterdir()):
        model = SavedModel(folder)
        answer = model.run("", {"x": np.array([[1], [2], [5]], np.float32)})["y"]
        assert answer[:, 0].tolist() == [0.5 + ADDS[name], 1 + ADDS[name], 2.5 + ADDS[name]]


@needs_testdata
def test_the_counter_counts_over_its_signatures() -> None:
    model = SavedModel(found("saved_model_counter", "00000123"))
    model.run("reset_counter", {})
    model.run("incr_counter", {})
    model.run("incr_counter_by", {"delta": np.float32(5)})
    assert model.run("get_counter", {})["output"] == 6


@needs_testdata
@pytest.mark.parametrize("name", ["saved_model_half_plus_two_tflite", "saved_model_half_plus_two_tflite_with_sigdef"])
def test_half_plus_two_answers_by_lite(name: str) -> None:
    model = LiteModel(found(name, "00000123"))
    assert model.run("", {"x": np.array([[1], [5]], np.float32)})["y"].tolist() == [[2.5], [4.5]]


@needs_testdata
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("bad_half_plus_two", 12, "Session Bundle is deprecated and removed."),
        ("../../../session_bundle/testdata/half_plus_two", 12, "Session Bundle is deprecated and removed."),
        ("saved_model_half_plus_two_gpu", 3, "Cannot assign a device for operation"),
        ("saved_model_half_plus_two_gpu_trt", 3, "Cannot assign a device for operation"),
    ],
)
def test_what_the_real_server_cannot_load_here_is_refused(name: str, code: int, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        SavedModel(found(name, "00000123"))
    assert caught.value.code == code
    assert words in caught.value.text


@needs_testdata
def test_a_matrix_is_halved_and_two_added() -> None:
    model = SavedModel(found("..", "..", "..", "batching", "testdata", "matrix_half_plus_two", "1"))
    matrix = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3)
    assert model.run("", {"x": matrix})["y"].tolist() == [[[2.5, 3, 3.5], [4, 4.5, 5], [5.5, 6, 6.5]]]


@needs_testdata
def test_an_operation_for_examples_that_the_package_of_litert_does_not_have_fails_the_load(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Refusal, match=r"^Failed to allocate tensors$") as caught:
        LiteModel(found("parse_example_tflite", "00000123"))
    assert caught.value.code == 13
    assert "ParseExampleV2" in caplog.text
