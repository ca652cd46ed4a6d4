"""The base of a feature of the user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from ferryman.data.options import Options as BaseOptions
from ferryman.features.base import Fitted


class Feature(ABC):
    """A feature of your own, in a spec e.g. `amount: {kind: "fraud.features:LogAmount", reads: number, base: 10}`.

    The raw tensor that every method gets is that of the built-in kind which the spec `reads`: numbers float32 [n], NaN
    where missing; categories text [n], "" where missing. What `transform`, `reference` and `encode` name are suffixes:
    the tensor "" is called like the feature, the tensor `log` FEATURE_log. One tensor may be given without a dict.
    """

    class Options(BaseOptions):
        """What the spec may say beside `kind`, `reads`, `column` and `missing`; nothing by default."""

    def __init__(self, options: Any) -> None:
        self.options = options
        """The spec's options, an instance of `Options`."""

    def fit(self, raw: np.ndarray) -> Mapping[str, Any]:
        """What is learned from the raw rows of the train split: plain JSON. By default nothing."""
        return {}

    @abstractmethod
    def transform(self, raw: Any, fitted: Fitted) -> Any:
        """The device tensors [n, ...] of the raw `tf.Tensor`, built in the graph of the caller (no lookup tables)."""

    @abstractmethod
    def reference(self, raw: np.ndarray, fitted: Fitted) -> Any:
        """The same in numpy, as a device computes it: ids equal, floats to 1e-6."""

    def device(self, fitted: Fitted) -> Mapping[str, tuple[str, tuple[int, ...]]]:
        """Suffix -> dtype (float32, int32, uint8) and shape of one row; by default one float32 number."""
        return {"": ("float32", ())}

    def encode(self, tensors: Mapping[str, Any], fitted: Fitted) -> Any:
        """One Keras tensor [n, c] for the model, from the Keras inputs by suffix; by default the floats side by side."""
        import keras

        columns = []
        for suffix, tensor in tensors.items():
            if tensor.dtype != "float32":
                raise TypeError(f"the tensor {suffix!r} is {tensor.dtype}: define encode(self, tensors, fitted) for it")
            rank = len(tensor.shape)
            columns.append(keras.ops.expand_dims(tensor, -1) if rank == 1 else keras.layers.Flatten()(tensor))
        return columns[0] if len(columns) == 1 else keras.ops.concatenate(columns, axis=-1)
