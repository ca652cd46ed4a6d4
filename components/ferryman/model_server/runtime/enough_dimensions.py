"""Inputs that would end the process: some of TensorFlow's kernels check the number of dimensions by aborting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal

Shape = tuple[int, ...]
"""Sizes, -1 where any."""

ABORTING = frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative", "MaxPool3D"})
"""Operations that abort on tensors of fewer dimensions than theirs.

Source: tensorflow/core/util/tensor_format.h (2.21, GetTensorDimIndex), asked by tensorflow/core/kernels/mkl/mkl_conv_ops.h;
tried with the layers of Keras 3.
"""


def shapes_to_keep(graph_def: Any, signatures: Iterable[Any]) -> dict[str, Shape]:
    """Shape of each input's tensor in the SignatureDefs, -1 where any; empty for a graph in which nothing aborts."""
    if not any(node.op in ABORTING for node in _nodes(graph_def)):
        return {}
    return {
        tensor.name: tuple(dimension.size for dimension in tensor.tensor_shape.dim)
        for signature in signatures
        for tensor in signature.inputs.values()
        if not tensor.tensor_shape.unknown_rank
    }


def check_dimensions(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Shape]) -> None:
    """Refuse an array of fewer dimensions than `shapes` has under its name.

    The real server dies of some of them, and answers the others with words of the operation that they reach.
    """
    for name, shape in shapes.items():
        received = arrays[name].shape
        if len(received) < len(shape):
            text = f"expected {len(shape)} dimensions as in {list(shape)} (-1 is any size)"
            raise Refusal(INVALID_ARGUMENT, f"input {name}: received a tensor of shape {list(received)}, {text}")


def _nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def
