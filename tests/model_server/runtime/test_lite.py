"""model.tflite instead of the SavedModel, as --prefer_tflite_model asks for."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.loading import LoadOptions, loader
from ferryman.model_server.runtime.batching import BatchedServable
from ferryman.model_server.runtime.lite import LiteModel
from ferryman.model_server.runtime.saved_model import SavedModel


@pytest.fixture(scope="module")
def folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with both: the SavedModel adds 2, the other adds 3."""
    import tensorflow as tf

    made = Path(shutil.copytree(built / "half_plus_two", tmp_path_factory.mktemp("lite") / "1"))
    half = tf.function(
        lambda x: {"y": x / 2 + 3, "rows": tf.shape(x)}, input_signature=[tf.TensorSpec([None, 1], tf.float32, "x")]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([half.get_concrete_function()])
    (made / "model.tflite").write_bytes(converter.convert())
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return LiteModel(folder, 2)


def answer(model: Any, array: np.ndarray) -> Any:
    (alias,) = model.signatures["serving_default"].inputs
    outputs = model.run("", {alias: array})
    return next(value for value in outputs.values() if value.dtype == np.float32)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def test_it_is_served_only_where_it_is_preferred_and_there(folder: Path, built: Path) -> None:
    assert isinstance(loader(LoadOptions(prefer_tflite_model=True))(folder), LiteModel)
    assert isinstance(loader(LoadOptions())(folder), SavedModel)
    assert isinstance(loader(LoadOptions(prefer_tflite_model=True))(built / "half_plus_two"), SavedModel)


def test_any_number_of_rows_is_answered_by_the_same_interpreter(model: LiteModel) -> None:
    for rows in (1, 5, 2, 0, 1):
        np.testing.assert_allclose(answer(model, column(*range(rows))), column(*range(rows)) / 2 + 3)


def test_without_metadata_the_signature_has_the_names_of_the_tensors(model: LiteModel) -> None:
    (signature,) = model.signatures.values()
    assert signature.method_name == "tensorflow/serving/predict"
    for alias, tensor in (*signature.inputs.items(), *signature.outputs.items()):
        assert alias == tensor.name.partition(":")[0]


def test_tensors_of_any_signature_are_values_of_one_run_and_the_interpreter_is_free_again(model: LiteModel) -> None:
    (signature,) = model.signatures.values()
    fed, fetched = ([tensor.name for tensor in side.values()] for side in (signature.inputs, signature.outputs))
    for rows in ((1, 2), (3,), (4,)):
        values = model.run_tensors(dict.fromkeys(fed, column(*rows)), fetched)
        assert {array.dtype.name: array.tolist() for array in values.values()} == {
            "float32": (column(*rows) / 2 + 3).tolist(),
            "int32": [len(rows), 1],
        }


def test_other_dtypes_and_signatures_are_refused(model: LiteModel) -> None:
    with pytest.raises(Refusal, match=r"^Expects arg\[0\] to be float but int64 is provided$"):
        answer(model, np.ones((1, 1), np.int64))
    with pytest.raises(Refusal, match=r'^Serving signature key "nope" not found.$'):
        model.run("nope", {})


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no flatbuffer" * 100)
    with pytest.raises(Refusal, match=r"^Cannot build FlatBufferModel from buffer.$") as caught:
        loader(LoadOptions(prefer_tflite_model=True))(tmp_path)
    assert caught.value.code == INVALID_ARGUMENT


def test_a_shape_that_the_model_cannot_take_is_refused_and_the_next_request_is_answered(
    tmp_path: Path, folder: Path
) -> None:
    import tensorflow as tf

    times = tf.function(
        lambda x: tf.matmul(x, tf.ones([3, 2])), input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([times.get_concrete_function()])
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    model = LiteModel(tmp_path)
    good = np.ones((2, 3), np.float32)
    assert answer(model, good).tolist() == [[3, 3], [3, 3]]
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            answer(model, np.ones((2, 5), np.float32))
        assert caught.value.code == 13
        assert "\n" not in caught.value.text
    assert answer(model, good).tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize("shared", [1, 4])
def test_many_threads_share_the_interpreters(folder: Path, shared: int) -> None:
    options = LoadOptions(prefer_tflite_model=True, num_tflite_pools=2, num_tflite_interpreters_per_pool=shared)
    model = loader(options)(folder)
    assert isinstance(model, BatchedServable) == (shared > 1)
    (alias,) = model.signatures["serving_default"].inputs
    outputs = [
        name for name, tensor in model.signatures["serving_default"].outputs.items() if tensor.dtype == "float32"
    ]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for rows in (1, 3, 600 if shared == 1 else 130):
            array = column(*[number] * rows)
            if not np.array_equal(model.run("", {alias: array}, outputs)[outputs[0]], array / 2 + 3):
                wrong.append(number)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    model.close()
    assert wrong == []
