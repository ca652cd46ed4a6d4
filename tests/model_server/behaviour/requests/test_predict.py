"""Predict over gRPC: which version answers, what a request must hold, and what an answer holds."""

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
ANSWER = "servables/tensorflow/predict_util.cc:PostProcessPredictionResult"

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


# Outputs


@rests_on(PREPARE)
def test_an_output_filter_leaves_the_others_out(served: Client) -> None:
    inputs = {"a": X, "b": np.array([1, 2])}
    both = served.predict(inputs, name="m", signature="two")
    one = served.predict(inputs, name="m", signature="two", outputs=["double"])
    assert set(both.outputs) == {"sum", "double"}
    assert set(one.outputs) == {"double"}
    assert list(one.outputs["double"].int64_val) == [2, 4]


@rests_on(PREPARE)
def test_an_unknown_output_is_refused_with_the_known_ones(served: Client) -> None:
    text = "output tensor alias not found in signature: z Outputs expected to be in the set {double,sum}."
    call = {"a": X, "b": np.array([1, 2])}
    seen = refusal(lambda: served.predict(call, name="m", signature="two", outputs=["sum", "z"]))
    assert seen == ("INVALID_ARGUMENT", text)


@rests_on(PREPARE)
def test_an_output_that_is_asked_for_twice_is_refused(served: Client) -> None:
    expected = ("INVALID_ARGUMENT", "duplicate output tensor alias: y")
    assert refusal(lambda: served.predict({"x": X}, name="m", outputs=["y", "y"])) == expected


@rests_on(PREPARE)
def test_inputs_are_looked_at_before_the_output_filter(served: Client) -> None:
    seen = refusal(lambda: served.predict({}, name="m", outputs=["z"]))[1]
    assert seen.startswith("input size does not match signature: 0!=1")


@rests_on(ANSWER)
@pytest.mark.parametrize(
    ("signature", "values", "field"),
    [
        ("copy_float32", np.array([0.1, -0.0, 3e38], np.float32), "float_val"),
        ("copy_float64", np.array([0.1, -0.0, 1e300]), "double_val"),
        ("copy_int32", np.array([-(2**31), 2**31 - 1], np.int32), "int_val"),
        ("copy_uint8", np.array([0, 255], np.uint8), "int_val"),
        ("copy_int64", np.array([-(2**63), 2**63 - 1]), "int64_val"),
        ("copy_uint32", np.array([0, 2**32 - 1], np.uint32), "uint32_val"),
        ("copy_uint64", np.array([0, 2**64 - 1], np.uint64), "uint64_val"),
        ("copy_bool", np.array([True, False]), "bool_val"),
        ("text_y", np.array([b"", b"a\0b", b"\xff\xfe"], object), "string_val"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_holds_values_and_no_content_in_the_field_of_its_dtype(
    served: Client, signature: str, values: Any, field: str
) -> None:
    output = served.predict({"x": values}, name="m", signature=signature).outputs["y"]
    assert list(getattr(output, field)) == values.tolist()
    assert output.tensor_content == b""
    assert [dim.size for dim in output.tensor_shape.dim] == [len(values)]


@rests_on(ANSWER)
@pytest.mark.parametrize(("signature", "value"), [("text_y", b"\xff"), ("copy_int64", 5), ("copy_bool", True)])
def test_a_scalar_is_answered_without_dimensions(served: Client, signature: str, value: Any) -> None:
    output = served.predict(
        {"x": value if isinstance(value, bytes) else np.array(value)}, name="m", signature=signature
    )
    tensor = output.outputs["y"]
    assert len(tensor.tensor_shape.dim) == 0
    assert [*tensor.string_val, *tensor.int64_val, *tensor.bool_val] == [value]


@rests_on(ANSWER)
def test_half_floats_are_answered_as_their_bits(served: Client) -> None:
    output = served.predict({"x": np.array([1, -2], np.float16)}, name="m", signature="copy_float16").outputs["y"]
    assert list(output.half_val) == [0x3C00, 0xC000]


@rests_on(ANSWER)
def test_an_answer_without_rows_keeps_its_shape(served: Client) -> None:
    output = served.predict({"x": np.zeros((3, 4), np.float32)}, name="m", signature="empty").outputs["y"]
    assert [dim.size for dim in output.tensor_shape.dim] == [0, 4]
    assert (output.dtype, list(output.float_val)) == (1, [])


@rests_on(RUN)
def test_nan_and_infinities_go_in_and_come_out(served: Client) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    answers = list(served.predict({"x": x}, name="m", signature="reciprocal").outputs["y"].float_val)
    assert np.isnan(answers[0])
    assert answers[1:] == [0.0, -0.0, np.inf]


@rests_on(RUN)
def test_what_a_model_finds_wrong_is_answered_with_its_words_and_the_next_request_is_served(served: Client) -> None:
    seen, text = refusal(lambda: served.predict({"x": -X}, name="m", signature="fails"))
    assert seen == "INVALID_ARGUMENT"
    assert "x is not positive" in text
    assert list(served.predict({"x": X}, name="m", signature="fails").outputs["y"].float_val) == [1.0, 2.5]


@rests_on("model_servers/server.cc:Server::BuildAndStart")
def test_a_request_of_20_megabytes_is_taken(served: Client) -> None:
    x = np.full(5_000_000, 0.5, np.float32)
    answer = served.predict({"x": x}, name="m", version=1).outputs["y"]
    assert len(answer.float_val) == 5_000_000
    assert answer.float_val[-1] == 5.0


@rests_on("servables/tensorflow/predict_util.cc:VerifySignature")
def test_predict_runs_a_classify_or_regress_signature_too(served: Client) -> None:
    output = served.predict({"inputs": np.array([b""], object)}, name="m", signature="classify").outputs
    assert list(output["classes"].string_val) == [b"small", b"large"]
