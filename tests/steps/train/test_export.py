from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.features import device_reference, preprocess_document
from ferryman.steps.train.trained import TrainedModel

tf = pytest.importorskip("tensorflow")

Tensors = dict[str, np.ndarray]


def as_bytes(raw: Tensors) -> Tensors:
    return {
        name: np.array([text.encode() for text in tensor], dtype=object) if tensor.dtype == object else tensor
        for name, tensor in raw.items()
    }


def call(folder: Path, endpoint: str, tensors: Tensors) -> Tensors:
    signature = tf.saved_model.load(str(folder)).signatures[endpoint]
    answers = signature(**{name: tf.constant(tensor) for name, tensor in as_bytes(tensors).items()})
    return {name: tensor.numpy() for name, tensor in answers.items()}


def call_in_a_v1_session(folder: Path, endpoint: str, tensors: Tensors) -> Tensors:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        signature = graph.signature_def[endpoint]
        fed = {signature.inputs[name].name: tensor for name, tensor in as_bytes(tensors).items()}
        answers: Tensors = session.run({name: info.name for name, info in signature.outputs.items()}, fed)
        return answers


@pytest.fixture(params=["class", "number"])
def pair(request: pytest.FixtureRequest, saved_models: dict[str, Path]) -> tuple[TrainedModel, Path]:
    return request.getfixturevalue(f"{request.param}_model"), saved_models[request.param]


@pytest.mark.parametrize("load", [call, call_in_a_v1_session])
def test_both_loaders_answer_what_the_model_answered_in_memory(pair: Any, load: Any, make_rows: Any) -> None:
    model, folder = pair
    raw = make_rows(60, 3).raw
    recorded, answered = model.answers(raw), load(folder, "serving_default", raw)
    assert recorded.keys() == answered.keys() == set(model.outputs)
    for name, tensor in recorded.items():
        assert answered[name].dtype == tensor.dtype
        np.testing.assert_array_equal(answered[name], tensor)


@pytest.mark.parametrize("load", [call, call_in_a_v1_session])
def test_serving_is_core_of_transform_exactly(pair: Any, load: Any, make_rows: Any) -> None:
    model, folder = pair
    raw = make_rows(60, 4).raw
    device = load(folder, "transform", raw)
    whole = load(folder, "serving_default", raw)
    for name, tensor in load(folder, "core", device).items():
        np.testing.assert_array_equal(tensor, whole[name])
    assert list(device) != []
    assert {spec.name for spec in model.device_specs} == set(device)


def test_transform_gives_what_a_device_computes_from_preprocess_json(pair: Any, make_rows: Any) -> None:
    model, folder = pair
    raw = make_rows(60, 5).raw
    raw["island"][7] = "never seen"
    reference = device_reference(preprocess_document(model.features, model.fitted), raw)
    for name, tensor in call(folder, "transform", raw).items():
        np.testing.assert_array_equal(tensor, reference[name])


def test_signatures_keep_names_dtypes_and_ranks(saved_models: dict[str, Path]) -> None:
    signatures = tf.saved_model.load(str(saved_models["class"])).signatures
    inputs = signatures["serving_default"].structured_input_signature[1]
    assert {name: (spec.dtype.name, spec.shape.rank) for name, spec in inputs.items()} == {
        "mass": ("float32", 1),
        "length": ("float32", 1),
        "island": ("string", 1),
        "image": ("uint8", 4),
    }
    outputs = signatures["serving_default"].structured_outputs
    assert {name: (spec.dtype.name, spec.shape.rank) for name, spec in outputs.items()} == {
        "probabilities": ("float32", 2),
        "label": ("string", 1),
    }


def test_the_label_is_the_class_of_the_largest_probability(class_model: TrainedModel, make_rows: Any) -> None:
    answers = class_model.answers(make_rows(60, 6).raw)
    names = np.array([b"a", "é".encode(), b"z"], dtype=object)
    assert set(answers["label"]) == set(names)
    assert answers["label"].tolist() == names[answers["probabilities"].argmax(axis=1)].tolist()


def test_a_row_that_cannot_be_answered_has_no_label(class_model: TrainedModel, make_rows: Any) -> None:
    raw = make_rows(4, 6).raw
    raw["length"][2] = np.nan
    answers = class_model.answers(raw)
    assert np.isnan(answers["probabilities"]).any(axis=1).tolist() == [False, False, True, False]
    assert [label == b"" for label in answers["label"]] == [False, False, True, False]


def test_a_number_that_cannot_be_predicted_is_not_invented(number_model: TrainedModel, make_rows: Any) -> None:
    raw = make_rows(4, 6).raw
    raw["length"][2] = np.inf
    assert np.isnan(number_model.answers(raw)["value"]).tolist() == [False, False, True, False]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_core_converts_to_tflite_and_gives_the_same_answers(
    precision: str, class_model: TrainedModel, saved_models: dict[str, Path], make_rows: Any
) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    device = class_model.device_tensors(make_rows(200, 7).raw)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_models["class"]), signature_keys=["core"])
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: (
            {name: tensor[row : row + 1] for name, tensor in device.items()} for row in range(200)
        )
    runner = litert.Interpreter(model_content=converter.convert()).get_signature_runner("core")
    answers, truth = runner(**device)["probabilities"], class_model.numbers(device)["probabilities"]
    assert answers.dtype == np.float32
    assert np.abs(answers - truth).max() < (1e-5 if precision == "float32" else 0.1)
    assert (answers.argmax(axis=1) == truth.argmax(axis=1)).mean() >= 0.99
