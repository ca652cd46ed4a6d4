"""Reads the many small tensors of a wide request by layouts that are remembered.

What a client writes before a tensor's numbers (dtype, shape, field, length) hardly ever changes from one request to the
next. Where it is known, so is the whole message: the numbers, or a single text, are what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ferryman.serving import tensors
from ferryman.serving.protocol.wire import ClosedRequest, DecodeError, WireTensor, surely_packed
from ferryman.serving.tensors import KINDS

LARGEST_REQUEST = 1 << 16
"""Bytes up to which a request is read so: it is copied once more than by protobuf alone."""

LAYOUTS = 4
"""Remembered for tensors of one size in bytes; more are read, but not remembered, which also bounds the memory."""


class Layout(NamedTuple):
    """A tensor whose message ends with its numbers or its only text."""

    head: bytes
    """All before them, with how many bytes they have."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_known: dict[int, tuple[Layout, ...]] = {}


def closed(serialized: bytes) -> Any:
    """A small PredictRequest with tensors as bytes; None when it must be read by protobuf as a whole.

    Anything that comes twice is merged by protobuf's rules, which bytes do not follow; it then is shorter when written.
    """
    if len(serialized) > LARGEST_REQUEST:
        return None
    request = ClosedRequest.FromString(serialized)
    return request if request.ByteSize() == len(serialized) else None


def read(serialized: bytes) -> np.ndarray:
    """The array of a TensorProto's bytes; errors as `tensors.read`, and DecodeError when its numbers are not packed."""
    for head, shape, dtype in _known.get(len(serialized), ()):
        if serialized.startswith(head):
            # Cut off, numbers are aligned.
            values = serialized[len(head) :]
            return _text(shape, values) if dtype.hasobject else np.ndarray(shape, dtype, values)
    tensor = WireTensor.FromString(serialized)
    if not surely_packed(tensor):
        raise DecodeError("numbers one by one")
    array = tensors.read(tensor)
    _remember(serialized, array)
    return array


def _text(shape: tuple[int, ...], text: bytes) -> np.ndarray:
    array = np.empty(shape, object)
    array.fill(text)
    return array


def _remember(serialized: bytes, array: np.ndarray) -> None:
    known = _known.get(len(serialized), ())
    end = _end(array)
    if end and len(known) < LAYOUTS and any(serialized == written for written in _written(array)):
        _known[len(serialized)] = (*known, Layout(serialized[:-end], array.shape, array.dtype))


def _end(array: np.ndarray) -> int:
    """Bytes with which the message of an array ends: those of its numbers or of its only text; 0 for several texts."""
    if array.dtype.hasobject:
        return len(array.item()) if array.size == 1 else 0
    return array.nbytes


def _written(array: np.ndarray) -> Iterator[bytes]:
    """The messages of the array that end with its bytes."""
    kind = KINDS.get(array.dtype.name)
    forms = (False,) if kind is None or not kind.varint else ()
    # The bytes of a bool are looked at.
    for content in (*forms, *((True,) if kind and array.dtype.kind != "b" else ())):
        tensor = WireTensor()
        tensors.write(array, tensor, content=content)
        yield tensor.SerializeToString(deterministic=True)
