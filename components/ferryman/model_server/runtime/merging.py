"""Rows of several requests to one array and back.

Source, whose checks and texts these are: tensorflow_serving/batching/{batching_session,batching_util}.cc, 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ferryman.model_server.core import FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.dtypes import TYPE_NAMES

MAX_RANK = 6
"""Of tensors that are padded."""


@dataclass(frozen=True)
class Merging:
    """How rows are put together."""

    allowed_sizes: tuple[int, ...] = ()
    """Rows of a batch, ascending; it is filled up to the next of them. Any number when empty."""

    pads: bool = False
    """Whether rows of different shapes are filled up to the largest."""

    def padding(self, size: int) -> int:
        """How many rows are missing to the next allowed size; 0 beyond the largest."""
        return next((allowed for allowed in self.allowed_sizes if allowed >= size), size) - size

    def merge(
        self, tasks: Sequence[Mapping[str, np.ndarray]], padding: int, tensors: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """All rows of each of the tensors, which all tasks feed, and `padding` more.

        Raises:
            Refusal: shapes or dtypes that do not go together.
        """
        if len(tasks) == 1 and not padding:
            return {tensor: tasks[0][tensor] for tensor in tensors}
        return {tensor: self._merged([task[tensor] for task in tasks], padding, tensor) for tensor in tensors}

    def _merged(self, arrays: Sequence[np.ndarray], padding: int, name: str) -> np.ndarray:
        if self.pads:
            arrays = padded(arrays)
        elif any(array.shape[1:] != arrays[0].shape[1:] for array in arrays):
            raise Refusal(
                FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set "
                "pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal dimensions "
                "starting with the first dim.",
            )
        check_dtypes(arrays)
        if padding:
            # Rows of the last request, which are known to be valid.
            arrays = [*arrays, *[arrays[-1][:1]] * padding]
        return np.concatenate(arrays)


def padded(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays, each filled up behind to the largest size of each dimension but the first, with its first value.

    Raises:
        Refusal: other ranks than 1 to 6, or an empty array among others (batching_util.cc, AddPadding).
    """
    if any(array.ndim != arrays[0].ndim or array.ndim > MAX_RANK for array in arrays):
        raise Refusal(INVALID_ARGUMENT, "Only tensors with rank from 1 to 6 can be padded.")
    largest = np.max([array.shape for array in arrays], axis=0)
    return [_filled(array, (len(array), *map(int, largest[1:]))) for array in arrays]


def _filled(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape == shape:
        return array
    if not array.size:
        raise Refusal(INVALID_ARGUMENT, "Got empty tensor in batch of non-empty tensors.")
    whole = np.full(shape, array.flat[0], array.dtype)
    whole[tuple(slice(size) for size in array.shape)] = array
    return whole


def split(outputs: Mapping[str, np.ndarray], sizes: Sequence[int], padding: int) -> list[dict[str, np.ndarray]]:
    """Each task's rows of the outputs, without those of the padding; they are views.

    Raises:
        Refusal: an output has other rows than the inputs.
    """
    total = sum(sizes) + padding
    for array in outputs.values():
        if not array.ndim:
            raise Refusal(FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if len(array) != total:
            raise Refusal(
                FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    stops = np.cumsum(sizes).tolist()
    return [
        {alias: array[stop - size : stop] for alias, array in outputs.items()}
        for size, stop in zip(sizes, stops, strict=True)
    ]


def check_dtypes(arrays: Sequence[np.ndarray]) -> None:
    """Refuse arrays that numpy would convert to a common dtype (tensorflow/core/framework/tensor_util.cc, Concat)."""
    first = arrays[0].dtype
    for array in arrays:
        if array.dtype != first:
            names = [TYPE_NAMES.get(dtype.name, dtype.name) for dtype in (first, array.dtype)]
            raise Refusal(
                INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have different data "
                f"types. Got {names[0]} and {names[1]}.",
            )
