"""numpy arrays to TensorProto and back, without TensorFlow and without a Python loop over numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferryman.errors import FerrymanError
from ferryman.serving.protocol import DataType, TensorProto

DTYPES: dict[int, str] = {
    DataType.DT_FLOAT: "float32",
    DataType.DT_DOUBLE: "float64",
    DataType.DT_INT8: "int8",
    DataType.DT_INT16: "int16",
    DataType.DT_INT32: "int32",
    DataType.DT_INT64: "int64",
    DataType.DT_UINT8: "uint8",
    DataType.DT_UINT16: "uint16",
    DataType.DT_UINT32: "uint32",
    DataType.DT_UINT64: "uint64",
    DataType.DT_BOOL: "bool",
    DataType.DT_HALF: "float16",
    DataType.DT_STRING: "string",
}
"""TensorFlow's dtype number -> numpy's name; `string` for bytes of any length."""

NUMBERS = {name: number for number, name in DTYPES.items()}

_FIELDS: dict[str, str] = {
    "float32": "float_val",
    "float64": "double_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
}

LARGEST_FILL = 1 << 28
"""Bytes to which fewer values are repeated (256 MiB): a shape of a dozen bytes can claim more than any machine has."""


class TensorError(FerrymanError):
    """A tensor cannot be sent or read."""


def to_proto(array: np.ndarray, *, listed: bool = False) -> Any:
    """The TensorProto of an array; text as str, bytes or fixed-width arrays becomes DT_STRING (UTF-8).

    `listed` writes numbers into the field of their type, as TensorFlow Serving answers, and not as raw bytes.
    """
    proto = TensorProto()
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if array.dtype.kind in "OSU":
        proto.dtype = DataType.DT_STRING
        proto.string_val.extend(_bytes(value) for value in array.ravel().tolist())
        return proto
    if array.dtype.name not in NUMBERS:
        raise TensorError(f"received an array of {array.dtype}, expected one of {', '.join(NUMBERS)}")
    proto.dtype = NUMBERS[array.dtype.name]
    if not listed:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    elif array.dtype == np.float16:
        proto.half_val.extend(array.view(np.uint16).ravel().tolist())
    else:
        getattr(proto, _FIELDS[array.dtype.name]).extend(array.ravel().tolist())
    return proto


def from_proto(proto: Any) -> np.ndarray:
    """The array of a TensorProto, from either of its two forms; DT_STRING as an object array of bytes.

    A repeated field with fewer values than the shape holds is filled with its last one.

    Raises:
        TensorError: a dtype that is not read, or content that does not fit the shape.

    Source: tensorflow/core/framework/tensor.proto (2.21), field comments.
    """
    name = DTYPES.get(proto.dtype)
    if name is None:
        raise TensorError(f"received a tensor of dtype {proto.dtype}, expected one of {', '.join(NUMBERS)}")
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    if any(size < 0 for size in shape):
        raise TensorError(f"received a tensor of shape {list(shape)}, expected no negative size")
    count = 1
    for size in shape:
        count *= size
    if name == "string":
        return _filled(list(proto.string_val), count, b"", object).reshape(shape)
    dtype = np.dtype(name)
    if proto.tensor_content:
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise TensorError(f"received {len(proto.tensor_content)} bytes for a {name} tensor of shape {list(shape)}")
        return np.frombuffer(proto.tensor_content, dtype=dtype).reshape(shape)
    if name == "float16":
        bits = np.array(proto.half_val, dtype=np.uint16)
        return _filled(bits, count, 0, np.uint16).view(np.float16).reshape(shape)
    return _filled(getattr(proto, _FIELDS[name]), count, 0, dtype).reshape(shape)


def _filled(values: Any, count: int, empty: Any, dtype: Any) -> np.ndarray:
    given = len(values)
    if given > count:
        raise TensorError(f"received {given} values for a tensor of {count} elements")
    if given < count and count * np.dtype(dtype).itemsize > LARGEST_FILL:
        raise TensorError(
            f"received {given} values for a tensor of {count:,} elements: too many to repeat the last one"
        )
    array = np.empty(count, dtype=dtype)
    array[:given] = values if dtype is not object else np.array([*values, None], dtype=object)[:-1]
    array[given:] = values[-1] if given else empty
    return array


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
