"""Tensors as they lie in a message, against TensorFlow's own C++ (`Tensor::FromProto` by way of tf.io.parse_tensor)."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes  # noqa: F401 -- gives numpy the name bfloat16
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ferryman.serving.protocol import DataType, TensorProto
from ferryman.serving.protocol.wire import DecodeError, WireTensor, read_request
from ferryman.serving.tensors import KINDS, LARGEST_FILL, TensorError, read, write

SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
FEW = 10**6
"""Elements up to which TensorFlow is asked: it would make room for any number."""


@st.composite
def arrays(draw: Any) -> np.ndarray:
    """Any bits in any dtype, or texts."""
    shape = draw(SHAPES)
    count = math.prod(shape)
    name = draw(st.sampled_from([*KINDS, "string"]))
    if name == "string":
        texts = np.empty(count, object)
        texts[:] = draw(st.lists(st.binary(max_size=200), min_size=count, max_size=count))
        return texts.reshape(shape)
    if name == "bool":
        return np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool).reshape(shape)
    dtype = KINDS[name].dtype
    size = count * dtype.itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)


def in_wire(array: np.ndarray, *, content: bool = False) -> bytes:
    tensor = WireTensor()
    write(array, tensor, content=content)
    return bytes(tensor.SerializeToString(deterministic=True))


def out_of_wire(serialized: bytes) -> np.ndarray:
    return read(read_request(in_request(serialized)).inputs["x"])


def in_request(tensor: bytes) -> bytes:
    """A PredictRequest whose input `x` is this tensor, byte for byte."""
    entry = b"\x0a\x01x\x12" + varint(len(tensor)) + tensor
    return b"\x12" + varint(len(entry)) + entry


def varint(number: int) -> bytes:
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    return bytes([*octets, number])


def by_tensorflow(serialized: bytes) -> np.ndarray | None:
    """What the C++ of TensorFlow reads; None when it refuses."""
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto as Real

    real = Real.FromString(serialized)
    try:
        array: np.ndarray = tf.io.parse_tensor(serialized, tf.dtypes.as_dtype(real.dtype)).numpy()
    except (tf.errors.InvalidArgumentError, TypeError):
        return None
    return np.array(array, object) if isinstance(array, bytes) else array


def same(found: np.ndarray, wanted: np.ndarray | None) -> None:
    assert wanted is not None
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tolist() == wanted.tolist() if wanted.dtype == object else found.tobytes() == wanted.tobytes()


@settings(max_examples=1000, deadline=None)
@given(arrays())
def test_both_forms_of_any_array_are_written_as_tensorflow_writes_them_and_read_as_it_reads(array: np.ndarray) -> None:
    import tensorflow as tf

    content, listed = in_wire(array, content=True), in_wire(array)
    # Of texts this operation writes the list in any case; that TensorFlow reads our other form is asked below.
    assert (listed if array.dtype == object else content) == tf.io.serialize_tensor(array).numpy()
    # Python's floats do not keep the bits of every NaN.
    assert (array.dtype.kind in "fcV" and np.isnan(array).any()) or listed == by_lists(array)
    for serialized in (content, listed):
        same(out_of_wire(serialized), array)
        same(out_of_wire(serialized), by_tensorflow(serialized))


def by_lists(array: np.ndarray) -> bytes:
    """The message with every value put into its list by Python."""
    import tensorflow as tf

    real = tf.make_tensor_proto(0)
    real.Clear()
    real.dtype = tf.dtypes.as_dtype(array.dtype).as_datatype_enum
    real.tensor_shape.SetInParent()
    for size in array.shape:
        real.tensor_shape.dim.add().size = size
    if array.dtype == object:
        real.string_val.extend(array.ravel().tolist())
    else:
        kind, flat = KINDS[array.dtype.name], array.ravel()
        if kind.field == "half_val":
            flat = flat.view(np.uint16)
        if kind.dtype.kind == "c":
            flat = flat.view(np.float32 if kind.dtype.itemsize == 8 else np.float64)
        getattr(real, kind.field).extend(flat.tolist())
    return bytes(real.SerializeToString(deterministic=True))


@settings(max_examples=1000, deadline=None)
@given(arrays(), SHAPES)
def test_fewer_and_surplus_values_are_filled_and_passed_over_as_tensorflow_does(
    array: np.ndarray, shape: tuple[int, ...]
) -> None:
    message = TensorProto.FromString(in_wire(array))
    del message.tensor_shape.dim[:]
    for size in shape:
        message.tensor_shape.dim.add().size = size
    serialized = message.SerializeToString()
    same(out_of_wire(serialized), by_tensorflow(serialized))


def one_by_one(array: np.ndarray) -> bytes:
    """The values of an array each in a field of its own, as proto2 wrote them and proto3 must read them."""
    kind = KINDS[array.dtype.name]
    number = TensorProto.DESCRIPTOR.fields_by_name[kind.field].number
    if kind.varint:
        return b"".join(varint(number << 3) + varint(int(value) & (2**64 - 1)) for value in array.ravel().tolist())
    wire_type = {4: 5, 8: 1}[kind.dtype.itemsize]
    return b"".join(varint(number << 3 | wire_type) + value.tobytes() for value in array.ravel())


UNPACKED = [name for name in KINDS if name not in {"float16", "bfloat16", "complex64", "complex128"}]


@settings(max_examples=1000, deadline=None)
@given(arrays(), st.lists(st.booleans(), max_size=4))
def test_packed_single_and_scattered_values_are_read_in_the_order_of_the_message(
    array: np.ndarray, single: list[bool]
) -> None:
    assume(array.dtype.name in UNPACKED)
    shape = TensorProto.FromString(in_wire(np.resize(array, (len(single), *array.shape)))).SerializeToString()
    head = TensorProto.FromString(shape)
    del getattr(head, KINDS[array.dtype.name].field)[:]
    values = TensorProto.FromString(in_wire(array))
    values.ClearField("tensor_shape")
    body = b"".join(one_by_one(array) if alone else values.SerializeToString() for alone in single)
    serialized = head.SerializeToString() + body
    same(out_of_wire(serialized), by_tensorflow(serialized))


@settings(max_examples=1500, deadline=None)
@given(arrays(), st.booleans(), st.data())
def test_damaged_messages_are_read_as_tensorflow_reads_them_or_refused_where_it_refuses(
    array: np.ndarray, content: bool, data: st.DataObject
) -> None:
    serialized = bytearray(in_wire(array, content=content))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(serialized)))
        serialized[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    damaged = bytes(serialized)
    try:
        real = TensorProto.FromString(damaged)
    except DecodeError:
        try:
            found = out_of_wire(damaged)
        except (DecodeError, TensorError):
            return
        # Read all the same: then the damage lies in a list that has nothing to say.
        real = without_idle_lists(damaged)
        damaged = real.SerializeToString()
        same(found, by_tensorflow(damaged))
    assume(0 <= math.prod(max(0, size.size) for size in real.tensor_shape.dim) < FEW)
    assume(len(real.tensor_shape.dim) <= 64)
    assume(not damaged_elsewhere(damaged))
    wanted = by_tensorflow(damaged)
    if wanted is None or real.dtype not in {DataType.DT_STRING, *(kind.number for kind in KINDS.values())}:
        with pytest.raises(TensorError):
            out_of_wire(damaged)
    else:
        same(out_of_wire(damaged), wanted)


def damaged_elsewhere(serialized: bytes) -> bool:
    """Whether the damage lies in a field that only TensorFlow's own message has, as those of resources and variants."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto as Real

    try:
        Real.FromString(serialized)
    except DecodeError:
        return True
    return False


def without_idle_lists(serialized: bytes) -> Any:
    """The message without the lists that are of another dtype, or that raw bytes stand in for."""
    tensor = WireTensor.FromString(serialized)
    spoken = {kind.field for kind in KINDS.values() if kind.number == tensor.dtype and not tensor.tensor_content}
    for kind in KINDS.values():
        if kind.field not in spoken:
            tensor.ClearField(kind.field)
    return TensorProto.FromString(tensor.SerializeToString())


def test_a_claim_of_more_elements_than_a_machine_holds_is_refused_at_once() -> None:
    for shape in ([2**31], [2**62, 2**62], [LARGEST_FILL // 4 + 1]):
        message = TensorProto(dtype=DataType.DT_FLOAT, float_val=[1])
        for size in shape:
            message.tensor_shape.dim.add(size=size)
        with pytest.raises(TensorError, match="too many to repeat"):
            out_of_wire(message.SerializeToString())


def test_a_shape_that_comes_in_pieces_is_joined_and_one_that_is_none_is_refused() -> None:
    whole = TensorProto(dtype=DataType.DT_FLOAT, float_val=[1, 2])
    whole.tensor_shape.dim.add(size=2)
    part = TensorProto()
    part.tensor_shape.dim.add(size=1)
    serialized = whole.SerializeToString() + part.SerializeToString()
    same(out_of_wire(serialized), by_tensorflow(serialized))
    assert out_of_wire(serialized).shape == (2, 1)
    with pytest.raises(DecodeError):
        read(WireTensor(dtype=DataType.DT_FLOAT, tensor_shape=[b"\x12\x05"]))


def test_an_array_is_read_in_place() -> None:
    tensor = WireTensor()
    write(np.arange(1000, dtype=np.float32), tensor)
    array = read(tensor)
    assert not array.flags.owndata
    assert not array.flags.writeable
