"""Predict's bytes against tensorflow-serving-api's messages and TensorFlow's own tensors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferryman.model_server import codec
from ferryman.model_server.core import Refusal
from ferryman.serving.protocol.wire import DecodeError

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DTYPES = st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_, np.float16, np.uint64])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
TENSORS = st.dictionaries(NAMES, ARRAYS, max_size=4)


def equal(found: Any, wanted: dict[str, np.ndarray]) -> None:
    assert set(found) == set(wanted)
    for alias, array in wanted.items():
        assert (found[alias].dtype, found[alias].shape) == (array.dtype, array.shape)
        assert found[alias].tobytes() == array.tobytes()


@settings(max_examples=500, deadline=None)
@given(NAMES, st.none() | st.integers(-(2**63), 2**63 - 1), NAMES, TENSORS, st.lists(NAMES, max_size=3))
def test_a_request_of_the_real_messages_is_read_whole(
    name: str, version: int | None, signature: str, inputs: dict[str, np.ndarray], wanted: list[str]
) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest(output_filter=wanted)
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    for alias, array in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(array))
    asked = codec.read(request.SerializeToString())
    equal(asked.inputs, inputs)
    assert list(asked.output_filter) == wanted
    spec = asked.message.model_spec
    assert (spec.name, spec.signature_name, spec.HasField("version")) == (name, signature, version is not None)
    assert spec.version.value == (version or 0)


@settings(max_examples=500, deadline=None)
@given(NAMES, st.integers(0, 2**63 - 1), NAMES, TENSORS, st.booleans())
def test_a_response_is_read_whole_by_the_real_messages(
    name: str, version: int, signature: str, outputs: dict[str, np.ndarray], as_content: bool
) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    written = codec.write(name, version, signature, outputs, as_content=as_content)
    response = PredictResponse.FromString(written)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.version_label) == (name, version, "")
    assert spec.signature_name == (signature or "serving_default")
    equal({alias: np.asarray(tf.make_ndarray(tensor)) for alias, tensor in response.outputs.items()}, outputs)
    if outputs:
        filled = [bool(tensor.tensor_content) for tensor in response.outputs.values() if tf.make_ndarray(tensor).size]
        assert filled == [as_content] * len(filled)
    if len(outputs) <= 1:  # of more, no order is laid down
        response.DiscardUnknownFields()
        assert written == response.SerializeToString(deterministic=True)


def test_of_an_input_that_comes_twice_the_last_is_taken_and_a_split_one_is_joined() -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    def part(value: list[float]) -> bytes:
        request = PredictRequest()
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(value))
        return bytes(request.SerializeToString())

    assert codec.read(part([1, 2]) + part([3])).inputs["x"].tolist() == [3]
    name, version = PredictRequest(), PredictRequest()
    name.model_spec.name, version.model_spec.version.value = "m", 3
    spec = codec.read(name.SerializeToString() + part([1]) + version.SerializeToString()).message.model_spec
    assert (spec.name, spec.version.value) == ("m", 3)


def test_a_damaged_input_is_refused_when_it_is_asked_for_and_not_before() -> None:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.inputs["good"].CopyFrom(tensor([2.5]))
    request.inputs["bad"].CopyFrom(tensor([2.5]))
    request.inputs["bad"].tensor_shape.dim.add().size = -1
    inputs = codec.read(request.SerializeToString()).inputs
    assert set(inputs) == {"good", "bad"}
    assert len(inputs) == 2
    assert inputs["good"].tolist() == [2.5]
    with pytest.raises(Refusal) as caught:
        inputs["bad"]
    assert (caught.value.code, caught.value.text) == (3, "tensor parsing error: bad")


def tensor(values: list[float]) -> Any:
    import tensorflow as tf

    return tf.make_tensor_proto(np.array(values, np.float32))


@settings(max_examples=2000, deadline=None)
@given(TENSORS, st.data())
def test_whatever_bytes_come_they_are_read_or_refused_as_protobuf_does(
    inputs: dict[str, np.ndarray], data: st.DataObject
) -> None:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    body = bytearray(b"\x0a\x03\x0a\x01m" + codec.write("m", 1, "", inputs)[:-1].replace(b"\x0a", b"\x12", 1))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        asked = codec.read(bytes(body))
    except DecodeError:
        with pytest.raises(Exception, match="Error parsing message"):
            PredictRequest.FromString(bytes(body))
        return
    for alias in asked.inputs:
        with suppress(Refusal):
            assert isinstance(asked.inputs[alias], np.ndarray)
