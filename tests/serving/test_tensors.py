"""numpy arrays as TensorFlow's messages, and back, against TensorFlow itself."""

from __future__ import annotations

from typing import Any

import ml_dtypes  # noqa: F401 -- gives numpy the name bfloat16
import numpy as np
import pytest

from ferryman.serving.protocol import DataType, TensorProto
from ferryman.serving.tensors import DTYPES, LARGEST_FILL, TensorError, from_proto, to_proto

ARRAYS = {
    "float32": np.array([[1.5, -0.0, np.inf], [np.nan, 1e-38, 3.4e38]], np.float32),
    "float64": np.array([1 / 3, -1e300, 5e-324]),
    "float16": np.array([0.1, -65504.0], np.float16),
    "int8": np.array([-128, 127], np.int8),
    "int16": np.array([-32768, 32767], np.int16),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int64": np.array([[-(2**63)], [2**63 - 1]]),
    "uint8": np.arange(24, dtype=np.uint8).reshape(2, 3, 4) + 231,
    "uint16": np.array([0, 65535], np.uint16),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "bool": np.array([True, False, True]),
    "complex64": np.array([1.5 - 2j, 0.1j], np.complex64),
    "complex128": np.array([1 / 3 - 1e300j, 2]),
    "bfloat16": np.array([1.5, -3e38], "bfloat16"),
    "string": np.array([b"", "Åland".encode(), b"\x00\xff", b"a\nb"], dtype=object),
}

TYPED = {"uint16", "bool", "complex64", "complex128"}
"""TensorFlow writes these into typed fields, where ours go as content: it reads both."""


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype == object:
        assert found.tolist() == wanted.tolist()
    else:
        assert found.tobytes() == wanted.tobytes()


def test_every_dtype_that_is_read_is_tried_here() -> None:
    assert set(ARRAYS) == set(DTYPES.values())


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_sent_is_byte_for_byte_what_tensorflow_sends_and_what_it_reads(name: str) -> None:
    import tensorflow as tf

    array = ARRAYS[name]
    proto = to_proto(array)
    if name not in TYPED:
        wanted = tf.make_tensor_proto(array)
        assert proto.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)
    same(from_proto(tf.make_tensor_proto(array)), array)
    same(np.asarray(tf.make_ndarray(proto)), array)
    same(from_proto(proto), array)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (1, 1, 1)])
def test_a_scalar_an_empty_and_a_single_element_tensor_keep_shape_and_value(name: str, shape: tuple[int, ...]) -> None:
    import tensorflow as tf

    array = np.resize(ARRAYS[name].ravel()[-1:], shape).astype(ARRAYS[name].dtype)
    same(from_proto(to_proto(array)), array)
    # TensorFlow writes single values into the typed fields, not as content.
    same(from_proto(TensorProto.FromString(tf.make_tensor_proto(array).SerializeToString())), array)


@pytest.mark.parametrize(
    ("dtype", "field", "values", "wanted"),
    [
        ("DT_FLOAT", "float_val", [1.5, -2.5], np.array([1.5, -2.5, -2.5, -2.5], np.float32)),
        ("DT_DOUBLE", "double_val", [0.1], np.full(4, 0.1)),
        ("DT_INT64", "int64_val", [2**40, 7], np.array([2**40, 7, 7, 7])),
        ("DT_UINT8", "int_val", [255, 0, 3], np.array([255, 0, 3, 3], np.uint8)),
        ("DT_INT32", "int_val", [], np.zeros(4, np.int32)),
        ("DT_HALF", "half_val", [0x3C00, 0xC000], np.array([1, -2, -2, -2], np.float16)),
        ("DT_BOOL", "bool_val", [True, False], np.array([True, False, False, False])),
        ("DT_STRING", "string_val", [b"a", b"b"], np.array([b"a", b"b", b"b", b"b"], dtype=object)),
    ],
)
def test_typed_fields_with_fewer_values_than_elements_are_filled_with_the_last(
    dtype: str, field: str, values: list[Any], wanted: np.ndarray
) -> None:
    proto = TensorProto(dtype=getattr(DataType, dtype))
    proto.tensor_shape.dim.add().size = 4
    getattr(proto, field).extend(values)
    same(from_proto(proto), wanted)
    if values and dtype != "DT_STRING":
        import tensorflow as tf

        same(tf.make_ndarray(proto), wanted)


@pytest.mark.parametrize(
    "array", [np.array(["Åland", ""]), np.array(["Åland".encode(), b""]), np.array(["Åland", b""], object)]
)
def test_text_of_every_kind_goes_out_as_utf_8_bytes(array: np.ndarray) -> None:
    proto = to_proto(array)
    assert proto.dtype == DataType.DT_STRING
    assert list(proto.string_val) == ["Åland".encode(), b""]


def test_an_array_that_does_not_lie_in_order_is_sent_in_order() -> None:
    array = np.arange(6, dtype=np.int64).reshape(2, 3).T
    same(from_proto(to_proto(array)), np.ascontiguousarray(array))


def proto(dtype: int, shape: list[int], **fields: Any) -> Any:
    message = TensorProto(dtype=dtype, **fields)
    for size in shape:
        message.tensor_shape.dim.add().size = size
    return message


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (proto(DataType.DT_FLOAT, [2], tensor_content=b"1234567"), "received 7 bytes for a float32 tensor of shape [2]"),
        (proto(DataType.DT_FLOAT, [2], tensor_content=b"123456789"), "received 9 bytes"),
        (proto(DataType.DT_FLOAT, [1], float_val=[1, 2]), "received 2 values for a tensor of 1 elements"),
        (proto(DataType.DT_STRING, [0], string_val=[b"x"]), "received 1 values for a tensor of 0 elements"),
        (proto(DataType.DT_FLOAT, [-1]), "received a tensor of shape [-1], expected no negative size"),
        (proto(DataType.DT_UINT8, [LARGEST_FILL, 2], int_val=[7]), "received 1 values for a tensor of 536,870,912 elements"),
        (proto(DataType.DT_STRING, [2**62, 2**62]), "too many to repeat the last one"),
        (proto(20, [1]), "dtype 20, expected one of float32"),
        (proto(0, [1]), "dtype 0, expected one of float32"),
    ],
)  # fmt: skip
def test_a_tensor_whose_content_does_not_fit_its_shape_is_refused(message: Any, says: str) -> None:
    with pytest.raises(TensorError) as caught:
        from_proto(message)
    assert says in str(caught.value)


def test_an_array_of_a_dtype_that_no_server_reads_is_refused() -> None:
    with pytest.raises(TensorError, match=r"received an array of datetime64\[D\], expected one of float32"):
        to_proto(np.array(["2024-02-29"], "datetime64[D]"))
