"""Predict over gRPC: which version answers, and what a request must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rests_on import rests_on
from serving_client import Client, code, refusal

RESOLVE = "model_servers/server_core.cc:ServerCore::ServableRequestFromModelSpec"
LABEL = "model_servers/server_core.cc:ServerCore::GetModelVersionForLabel"
LOOK_UP = "core/basic_manager.cc:BasicManager::ServingMap::GetUntypedServableHandle"
PREDICT = "servables/tensorflow/predict_impl.cc:TensorflowPredictor::Predict"
RUN = "servables/tensorflow/predict_util.cc:RunPredict"
SIZE = "servables/tensorflow/predict_util.cc:VerifyRequestInputsSize"
PREPARE = "servables/tensorflow/predict_util.cc:PreProcessPrediction"

X = np.array([1, 2.5], np.float32)


def tensor(dtype: int, dims: list[int], **fields: Any) -> Any:
    """A TensorProto as written; `dtype` is the number of a DataType."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    proto = TensorProto(dtype=dtype, **fields)
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    return proto


# Which version answers


@rests_on(RESOLVE, "core/basic_manager.cc:BasicManager::ServingMap::Update")
@pytest.mark.parametrize(
    ("spec", "answers", "version"),
    [
        ({}, [100.0, 250.0], 2),
        ({"version": 1}, [10.0, 25.0], 1),
        ({"version": 2}, [100.0, 250.0], 2),
        ({"label": "stable"}, [10.0, 25.0], 1),
        ({"label": "canary"}, [100.0, 250.0], 2),
    ],
    ids=str,
)
def test_an_unlabelled_request_goes_to_the_highest_version_and_every_answer_says_which(
    served: Client, spec: dict[str, Any], answers: list[float], version: int
) -> None:
    response = served.predict({"x": X}, name="m", **spec)
    assert list(response.outputs["y"].float_val) == answers
    assert response.model_spec.version.value == version
    assert response.model_spec.name == "m"
    assert response.model_spec.signature_name == "serving_default"
    assert not response.model_spec.version_label


@rests_on(PREDICT)
def test_a_prediction_without_a_model_spec_is_refused(served: Client) -> None:
    assert refusal(lambda: served.predict({"x": X})) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@rests_on(RESOLVE)
def test_a_model_spec_without_a_name_is_refused(served: Client) -> None:
    expected = ("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    assert refusal(lambda: served.predict({"x": X}, name="", version=1)) == expected


@rests_on(LOOK_UP, "core/manager.h:ServableRequest::DebugString")
@pytest.mark.parametrize(
    ("spec", "request_text"),
    [
        ({"name": "nobody"}, "Latest(nobody)"),
        ({"name": "m", "version": 9}, "Specific(m, 9)"),
        ({"name": "m", "version": -1}, "Specific(m, -1)"),
        ({"name": "m", "version": 0}, "Specific(m, 0)"),
        ({"name": "M"}, "Latest(M)"),
    ],
    ids=str,
)
def test_what_is_not_served_is_not_found_in_the_words_of_the_request(
    served: Client, spec: dict[str, Any], request_text: str
) -> None:
    expected = ("NOT_FOUND", f"Servable not found for request: {request_text}")
    assert refusal(lambda: served.predict({"x": X}, **spec)) == expected


@rests_on(RESOLVE)
def test_a_version_without_a_value_is_version_zero(served: Client) -> None:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version.SetInParent()
    expected = ("NOT_FOUND", "Servable not found for request: Specific(m, 0)")
    assert refusal(lambda: served.prediction.Predict(request, timeout=20)) == expected


@rests_on(LABEL)
@pytest.mark.parametrize("name", ["m", "nobody"])
@pytest.mark.parametrize("label", ["Stable", "", "1"])
def test_a_label_that_nothing_carries_is_an_invalid_argument(served: Client, name: str, label: str) -> None:
    expected = ("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
    assert refusal(lambda: served.predict({"x": X}, name=name, label=label)) == expected


@rests_on(RUN)
def test_a_served_version_without_its_variables_fails_each_prediction(served: Client) -> None:
    assert served.states("hollow") == {3: "AVAILABLE"}
    assert code(lambda: served.predict({"x": X}, name="hollow")) == "FAILED_PRECONDITION"


# Signatures and their inputs


@rests_on(RUN)
def test_an_unknown_signature_is_a_failed_precondition(served: Client) -> None:
    expected = ("FAILED_PRECONDITION", 'Serving signature key "nope" not found.')
    assert refusal(lambda: served.predict({"x": X}, name="m", signature="nope")) == expected


@rests_on("model_servers/grpc_status_util.cc:ToGRPCStatus")
def test_a_text_of_more_than_1024_characters_is_cut(served: Client) -> None:
    text = f'Serving signature key "{"s" * 3000}'[:1024] + "...TRUNCATED"
    expected = ("FAILED_PRECONDITION", text)
    assert refusal(lambda: served.predict({"x": X}, name="m", signature="s" * 3000)) == expected


@rests_on("servables/tensorflow/util.cc:MakeModelSpec")
def test_an_answer_names_the_signature_that_was_asked_for(served: Client) -> None:
    response = served.predict({"x": X}, name="m", signature="copy_float32")
    assert response.model_spec.signature_name == "copy_float32"


@rests_on(SIZE)
@pytest.mark.parametrize(
    ("inputs", "signature", "text"),
    [
        (
            {},
            "",
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"x": X, "b": X, "a": X},
            "",
            "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). "
            "Sent extra: {a,b}. Missing but required: {}.",
        ),
        (
            {"a": X},
            "two",
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
            "Sent extra: {}. Missing but required: {b}.",
        ),
        (
            {"c": X, "x": X, "a": X},
            "two_with_default",
            "input size does not match signature: 3!=2 len({a,c,x}) != len({a,b}). "
            "Sent extra: {c,x}. Missing but required: {b}.",
        ),
    ],
    ids=["none", "too many", "too few", "too many for defaults"],
)
def test_a_wrong_number_of_inputs_is_refused_with_the_difference(
    served: Client, inputs: dict[str, Any], signature: str, text: str
) -> None:
    assert refusal(lambda: served.predict(inputs, name="m", signature=signature)) == ("INVALID_ARGUMENT", text)


@rests_on(PREPARE)
@pytest.mark.parametrize(
    ("inputs", "signature"),
    [({"X": X}, ""), ({"b": np.array([1])}, "two_with_default"), ({"a": X, "z": X}, "two_with_default")],
    ids=["unknown", "the one without default is missing", "unknown beside a default"],
)
def test_an_input_under_another_name_is_an_invalid_argument(
    served: Client, inputs: dict[str, Any], signature: str
) -> None:
    assert code(lambda: served.predict(inputs, name="m", signature=signature)) == "INVALID_ARGUMENT"


@rests_on(PREPARE)
def test_an_input_with_a_default_may_be_left_out_or_given(served: Client) -> None:
    whole = {}
    for given in ({}, {"b": np.array([9, 9])}):
        inputs = {"a": np.array([0.5, 1.5], np.float32), **given}
        response = served.predict(inputs, name="m", signature="two_with_default")
        whole[len(given)] = list(response.outputs["sum"].float_val)
    assert whole == {0: [7.5, 8.5], 1: [9.5, 10.5]}


@rests_on(RUN)
@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.int32, np.bool_])
def test_another_dtype_is_refused_and_never_converted(served: Client, dtype: Any) -> None:
    assert code(lambda: served.predict({"x": np.array([1, 0], dtype)}, name="m")) == "INVALID_ARGUMENT"


@rests_on(PREPARE)
@pytest.mark.parametrize("shape", [(2, 3), (), (1, 1, 4), (0,), (3, 0)], ids=str)
def test_the_rank_of_an_input_is_not_checked_against_the_signature(served: Client, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    output = served.predict({"x": x}, name="m").outputs["y"]
    assert [dim.size for dim in output.tensor_shape.dim] == list(shape)
    assert list(output.float_val) == list(100 * x.ravel())


@rests_on(PREPARE)
def test_numbers_come_as_content_as_values_or_as_fewer_values_the_last_of_which_is_repeated(served: Client) -> None:
    content = tensor(1, [3], tensor_content=np.array([1, 2, 2], np.float32).tobytes())
    values = tensor(1, [3], float_val=[1, 2, 2])
    fewer = tensor(1, [3], float_val=[1, 2])
    answers = [list(served.predict({"x": x}, name="m").outputs["y"].float_val) for x in (content, values, fewer)]
    assert answers == [[100.0, 200.0, 200.0]] * 3


@rests_on(PREPARE)
def test_a_shape_without_values_is_filled_with_zeros(served: Client) -> None:
    assert list(served.predict({"x": tensor(1, [2])}, name="m").outputs["y"].float_val) == [0.0, 0.0]


@rests_on(PREPARE)
@pytest.mark.parametrize(
    "broken",
    [
        lambda: tensor(1, [2], tensor_content=b"\0" * 7),
        lambda: tensor(1, [2], tensor_content=b"\0" * 12),
        lambda: tensor(1, [-1], float_val=[1]),
        lambda: tensor(1, [1 << 40, 1 << 40], float_val=[1]),
        lambda: tensor(0, [1], float_val=[1]),
        lambda: tensor(999, [1], float_val=[1]),
        lambda: tensor(1, [1] * 300, float_val=[1]),
        lambda: tensor(7, [1], tensor_content=b"abc"),
    ],
    ids=[
        "content too short",
        "content too long",
        "negative size",
        "size overflows",
        "no dtype",
        "dtype unknown",
        "300 dimensions",
        "text as content",
    ],
)
def test_a_tensor_that_does_not_hold_together_is_an_invalid_argument(served: Client, broken: Any) -> None:
    assert code(lambda: served.predict({"x": broken()}, name="m")) == "INVALID_ARGUMENT"
