"""Predict over gRPC: what an answer holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rests_on import rests_on
from serving_client import Client, refusal

RUN = "servables/tensorflow/predict_util.cc:RunPredict"
PREPARE = "servables/tensorflow/predict_util.cc:PreProcessPrediction"
ANSWER = "servables/tensorflow/predict_util.cc:PostProcessPredictionResult"

X = np.array([1, 2.5], np.float32)


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
