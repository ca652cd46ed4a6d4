"""Tensors read by a remembered layout, against protobuf's reader."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman.serving import layouts, tensors
from ferryman.serving.protocol.wire import ClosedRequest, WireTensor

ARRAYS = [
    np.array([[1.5, np.nan]], np.float32),
    np.array([1, 2, 3], np.int64),
    np.array([True, False]),
    np.array([b"text"], object),
    np.array([[b"one"], [b"two"]], object),
    np.array([b""], object),
    np.zeros((0, 3), np.float32),
    np.array(2.5),
]


def serialized(array: np.ndarray, *, content: bool = False) -> bytes:
    tensor = WireTensor()
    tensors.write(array, tensor, content=content)
    return bytes(tensor.SerializeToString(deterministic=True))


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_known", {})


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_array_is_the_same_at_first_sight_and_by_its_layout(array: np.ndarray, content: bool) -> None:
    message = serialized(array, content=content)
    for found in (layouts.read(message), layouts.read(message)):
        assert found.dtype == array.dtype
        assert found.flags.aligned
        np.testing.assert_array_equal(found, array)


def test_tensors_of_one_size_are_told_apart() -> None:
    floats, numbers, text = np.array([1.5, 2], np.float32), np.array([7], np.float64), np.array([b"8 bytes!"], object)
    for array in (floats, numbers, text, floats + 1, numbers + 1, np.array([b"others.."], object)):
        np.testing.assert_array_equal(layouts.read(serialized(array)), array)


def test_the_bytes_of_a_bool_are_looked_at_each_time() -> None:
    message = serialized(np.array([True, True]), content=True)
    layouts.read(message)
    with pytest.raises(tensors.TensorError):
        layouts.read(message[:-1] + b"\x02")


def test_few_layouts_of_a_size_are_remembered() -> None:
    for place in range(2 * layouts.LAYOUTS):
        shape = [2 if at == place else 1 for at in range(2 * layouts.LAYOUTS)]
        array = np.arange(2, dtype=np.float32).reshape(shape)
        assert layouts.read(serialized(array)).shape == array.shape
    assert max(map(len, layouts._known.values())) <= layouts.LAYOUTS


def test_a_request_that_says_something_twice_is_left_to_protobuf() -> None:
    request = ClosedRequest()
    request.inputs["x"] = serialized(np.array([1.5], np.float32))
    once = request.SerializeToString()
    assert layouts.closed(once) is not None
    assert layouts.closed(once + once) is None
