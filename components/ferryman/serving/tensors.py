"""numpy arrays to TensorProto and back, without TensorFlow and without a Python loop over numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ferryman.errors import FerrymanError
from ferryman.serving.protocol import DataType, TensorProto, varints
from ferryman.serving.protocol.wire import DecodeError, Shape, WireTensor

try:
    # It comes with TensorFlow, and gives numpy the dtype.
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

LARGEST_FILL = 1 << 28
"""Bytes to which fewer values are repeated (256 MiB): a shape of a dozen bytes can claim more than any machine has."""


LONGEST_KEY = 64
"""Bytes of a shape that is remembered: some 16 dimensions."""


class TensorError(FerrymanError):
    """A tensor cannot be sent or read."""


class Kind(NamedTuple):
    """How the numbers of one dtype lie in a message."""

    number: int
    """TensorFlow's."""

    dtype: np.dtype[Any]
    field: str
    """The list of its type."""

    size: int
    """Bytes of one number in memory."""

    varint: bool
    """Whether the list has numbers of variable length; otherwise it has them as they lie in memory, little-endian."""


def _kinds() -> dict[str, Kind]:
    listed = {
        "float32": (DataType.DT_FLOAT, "float_val"),
        "float64": (DataType.DT_DOUBLE, "double_val"),
        "int8": (DataType.DT_INT8, "int_val"),
        "int16": (DataType.DT_INT16, "int_val"),
        "int32": (DataType.DT_INT32, "int_val"),
        "int64": (DataType.DT_INT64, "int64_val"),
        "uint8": (DataType.DT_UINT8, "int_val"),
        "uint16": (DataType.DT_UINT16, "int_val"),
        "uint32": (DataType.DT_UINT32, "uint32_val"),
        "uint64": (DataType.DT_UINT64, "uint64_val"),
        "bool": (DataType.DT_BOOL, "bool_val"),
        "float16": (DataType.DT_HALF, "half_val"),
        "complex64": (DataType.DT_COMPLEX64, "scomplex_val"),
        "complex128": (DataType.DT_COMPLEX128, "dcomplex_val"),
        **({"bfloat16": (DataType.DT_BFLOAT16, "half_val")} if bfloat16 else {}),
    }
    in_memory = {"float_val", "double_val", "scomplex_val", "dcomplex_val"}
    dtypes = {name: np.dtype(bfloat16 if name == "bfloat16" else name) for name in listed}
    return {
        name: Kind(int(number), dtypes[name], field, dtypes[name].itemsize, field not in in_memory)
        for name, (number, field) in listed.items()
    }


KINDS = _kinds()
"""numpy's name -> how its numbers lie in a message."""

_STRING = int(DataType.DT_STRING)

DTYPES: dict[int, str] = {kind.number: name for name, kind in KINDS.items()} | {_STRING: "string"}
"""TensorFlow's dtype number -> numpy's name; `string` for bytes of any length."""

NUMBERS = {name: number for number, name in DTYPES.items()}

_BY_NUMBER = {kind.number: kind for kind in KINDS.values()}
_BY_DTYPE = {kind.dtype: kind for kind in KINDS.values()}
_BITS = {"half_val": np.dtype(np.uint16)}
"""Lists of bit patterns."""


def to_proto(array: np.ndarray, *, listed: bool = False) -> Any:
    """The TensorProto of an array; text as str, bytes or fixed-width arrays becomes DT_STRING (UTF-8).

    `listed` writes numbers into the field of their type, as TensorFlow Serving answers, and not as raw bytes.
    """
    tensor = WireTensor()
    write(array, tensor, content=not listed and array.dtype.kind not in "OSU")
    return TensorProto.FromString(tensor.SerializeToString())


def from_proto(proto: Any) -> np.ndarray:
    """The array of a TensorProto, from either of its two forms; DT_STRING as an object array of bytes.

    A repeated field with fewer values than the shape holds is filled with its last one.

    Raises:
        TensorError: a dtype that is not read, or content that does not fit the shape.
    """
    tensor = WireTensor.FromString(proto.SerializeToString())
    array, given = _read(tensor)
    if given > array.size:
        raise TensorError(f"received {given} values for a tensor of {array.size} elements")
    return array


def read(tensor: Any) -> np.ndarray:
    """The array of a tensor as it lies in a message, read-only where it could be read in place.

    As TensorFlow reads it: fewer values than elements are filled with the last one, surplus ones passed over.

    Raises:
        TensorError: a dtype that is not read, or content that does not fit the shape.
        DecodeError: no list of numbers.

    Source: tensorflow/core/framework/tensor.cc, `Tensor::FromProto` and `FromProtoField`, 2.21.
    """
    return _read(tensor)[0]


def write(array: np.ndarray, tensor: Any, *, content: bool = False) -> None:
    """Fill an empty tensor of the wire: values into the list of their type, or all as raw bytes with `content`.

    Source: tensorflow/core/framework/tensor.cc, `Tensor::AsProtoField` and `AsProtoTensorContent`, 2.21.
    """
    tensor.tensor_shape.append(_shape_to_wire(array.shape))
    if array.dtype.kind in "OSU":
        _write_strings(array, tensor, content)
        return
    kind = _BY_DTYPE.get(array.dtype)
    if kind is None:
        kind, array = _native(array)
    tensor.dtype = kind.number
    if not array.size:
        return
    if content:
        tensor.tensor_content = array.tobytes()
    else:
        getattr(tensor, kind.field).append(_packed(array, kind))


def _read(tensor: Any) -> tuple[np.ndarray, int]:
    """The array, and how many values the message has for it."""
    number = tensor.dtype
    kind = _BY_NUMBER.get(number)
    pieces = tensor.tensor_shape
    shape, count = _shape(pieces[0] if len(pieces) == 1 else b"".join(pieces))
    content = tensor.tensor_content if count else b""
    if kind is None:
        values, given = _strings(tensor, number, content, count)
    elif content:
        values, given = _content(content, kind, count, shape), count
    else:
        values, given = _listed(getattr(tensor, kind.field), kind, count)
    try:
        return values.reshape(shape), given
    except ValueError as error:
        raise TensorError(f"received a tensor of {len(shape)} dimensions: {error}") from error


def _shape(serialized: bytes) -> tuple[tuple[int, ...], int]:
    """Sizes and number of elements of a TensorShapeProto; the few that come again and again are remembered."""
    return (_shape_from_wire if len(serialized) <= LONGEST_KEY else _shape_from_wire.__wrapped__)(serialized)


@lru_cache(maxsize=1024)
def _shape_from_wire(serialized: bytes) -> tuple[tuple[int, ...], int]:
    shape = tuple(dimension.size for dimension in Shape.FromString(serialized).dim)
    if shape and min(shape) < 0:
        raise TensorError(f"received a tensor of shape {list(shape)}, expected no negative size")
    return shape, math.prod(shape)


@lru_cache(maxsize=1024)
def _shape_to_wire(shape: tuple[int, ...]) -> bytes:
    message = Shape()
    for size in shape:
        message.dim.add(size=size)
    return bytes(message.SerializeToString())


def _content(content: bytes, kind: Kind, count: int, shape: Sequence[int]) -> np.ndarray:
    if len(content) != count * kind.size:
        raise TensorError(f"received {len(content)} bytes for a {kind.dtype.name} tensor of shape {list(shape)}")
    if kind.dtype.kind == "b" and np.frombuffer(content, np.uint8).max() > 1:
        raise TensorError("received a bool that is neither 0 nor 1")
    return np.frombuffer(content, kind.dtype)


def _listed(pieces: Any, kind: Kind, count: int) -> tuple[np.ndarray, int]:
    packed = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if not kind.varint and len(packed) == count * kind.size:
        return np.frombuffer(packed, kind.dtype, count), count
    values = _whole(varints.decode(packed), kind) if kind.varint else _as_in_memory(packed, kind)
    return _filled(values, count, 0), len(values)


def _as_in_memory(packed: bytes, kind: Kind) -> np.ndarray:
    # Half of a complex number is no error: TensorFlow passes it over.
    if len(packed) % (kind.size // 2 if kind.dtype.kind == "c" else kind.size):
        raise DecodeError(f"{len(packed)} bytes are no list of {kind.dtype.name}")
    return np.frombuffer(packed, kind.dtype, len(packed) // kind.size)


def _whole(numbers: np.ndarray, kind: Kind) -> np.ndarray:
    """What a list of varints means: cut to the bits of the type, as C++ converts."""
    bits = _BITS.get(kind.field)
    # To bool, numpy converts as C++ does: any number but 0 is true.
    whole: np.ndarray = numbers.astype(bits).view(kind.dtype) if bits else numbers.astype(kind.dtype, copy=False)
    return whole


def _packed(array: np.ndarray, kind: Kind) -> bytes:
    if not kind.varint:
        return array.tobytes()
    flat = np.ascontiguousarray(array).ravel()
    if kind.field in _BITS:
        flat = flat.view(_BITS[kind.field])
    return varints.encode(flat if flat.dtype.itemsize == 8 else flat.astype(np.int64))


def _native(array: np.ndarray) -> tuple[Kind, np.ndarray]:
    """The kind of an array of the other byte order, and the array in ours."""
    dtype = array.dtype.newbyteorder("=")
    if dtype not in _BY_DTYPE:
        raise TensorError(f"received an array of {array.dtype}, expected one of {', '.join(DTYPES.values())}")
    return _BY_DTYPE[dtype], array.astype(dtype)


def _filled(values: np.ndarray, count: int, empty: Any) -> np.ndarray:
    given = len(values)
    if given >= count:
        return values[:count]
    if count * values.dtype.itemsize > LARGEST_FILL:
        raise TensorError(
            f"received {given} values for a tensor of {count:,} elements: too many to repeat the last one"
        )
    array = np.empty(count, values.dtype)
    array[:given] = values
    array[given:] = values[-1] if given else empty
    return array


def _strings(tensor: Any, number: int, content: bytes, count: int) -> tuple[np.ndarray, int]:
    if number != _STRING:
        raise TensorError(f"received a tensor of dtype {number}, expected one of {', '.join(DTYPES.values())}")
    texts = _split(content, count) if content else tensor.string_val[:]
    values = np.array(texts, object)
    return values if len(texts) == count else _filled(values, count, b""), len(texts)


def _split(content: bytes, count: int) -> list[bytes]:
    """The texts in raw bytes: first all lengths as varints, then all texts.

    Source: tensorflow/core/platform/tstring coding, `DecodeStringList`, 2.21.
    """
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) < 128)
    if len(ends) < count:
        raise TensorError(f"received {len(ends)} lengths for a tensor of {count} texts")
    start = int(ends[count - 1]) + 1
    stops = np.cumsum(varints.decode(content[:start])) + start
    if stops[-1] != len(content) or np.diff(stops, prepend=start).min() < 0:
        raise TensorError(f"received {len(content) - start} bytes of text, expected {int(stops[-1]) - start}")
    starts = [start, *stops[:-1].tolist()]
    return [content[first:last] for first, last in zip(starts, stops.tolist(), strict=True)]


def _write_strings(array: np.ndarray, tensor: Any, content: bool) -> None:
    tensor.dtype = _STRING
    values = array.ravel().tolist()
    if content:
        texts = [_bytes(value) for value in values]
        tensor.tensor_content = varints.encode(np.array([len(text) for text in texts], np.int64)) + b"".join(texts)
        return
    try:
        tensor.string_val.extend(values)
    except TypeError:
        del tensor.string_val[:]
        tensor.string_val.extend(_bytes(value) for value in values)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
