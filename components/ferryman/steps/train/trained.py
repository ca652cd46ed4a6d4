"""A trained model in memory, with the three endpoints that every export has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ferryman.features import Fitted, TensorSpec, device_specs, raw_specs
from ferryman.features.base import FeatureOptions
from ferryman.models.core import ClassHead, Core, Head
from ferryman.models.user import Function
from ferryman.models.user_core import UserCore, user_endpoints

BATCH = 1024
"""Rows per call in memory: enough to keep two cores busy, little enough for any image."""


@dataclass(frozen=True)
class TrainedModel:
    """Features with what they learned, the network, and the head that names its outputs."""

    features: Mapping[str, FeatureOptions]
    fitted: Mapping[str, Fitted]
    head: Head
    core_model: Core

    def transform(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Device tensors of raw ones, in the caller's graph."""
        device: dict[str, Any] = {}
        for name, feature in self.features.items():
            device |= feature.transform(name, self.fitted[name], raw[name])
        return device

    def core(self, device: Mapping[str, Any]) -> dict[str, Any]:
        """`probabilities` or `value` of device tensors, in the caller's graph."""
        return dict(self.core_model.exported(dict(device), training=False))

    def serve(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`core(transform(raw))` and, for classes, the `label` of the largest probability.

        A row with a number that is not finite (where missing numbers are refused) gets NaN and no label.
        """

        device = self.transform(raw)
        # ReLU makes 0 of NaN (TensorFlow 2.21, CPU): the network would answer such a row with a straight face.
        sound = [_finite(device[spec.name], spec) for spec in self.device_specs if spec.dtype == "float32"]
        outputs = {name: where_all(sound, numbers) for name, numbers in self.core(device).items()}
        if isinstance(self.head, ClassHead):
            outputs["label"] = label_of(self.head.classes, outputs["probabilities"])
        return outputs

    @property
    def endpoints(self) -> dict[str, Function]:
        """What the user's model adds to the three endpoints: name -> function of raw tensors.

        Raises:
            UserCodeError: `endpoints` fails, or gives something else.
        """
        core = self.core_model
        return user_endpoints(core, self.transform) if isinstance(core, UserCore) else {}

    @property
    def raw_specs(self) -> list[TensorSpec]:
        """The inputs of `transform` and `serve`."""
        return raw_specs(self.features)

    @property
    def device_specs(self) -> list[TensorSpec]:
        """The inputs of `core`."""
        return device_specs(self.features, self.fitted)

    @property
    def outputs(self) -> list[str]:
        """The names of what `serve` gives."""
        names = [spec.name for spec in self.head.outputs]
        return [*names, "label"] if isinstance(self.head, ClassHead) else names

    def device_tensors(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The device tensors of raw rows, computed here by `transform`."""
        return _in_batches(self._functions[0], raw)

    def numbers(self, device: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The numeric outputs for device tensors, computed here by `core`."""
        return _in_batches(self._functions[1], device)

    def answers(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs for raw rows, computed here by `serve`; labels as objects of bytes."""
        return _in_batches(self._functions[2], raw)

    @cached_property
    def _functions(self) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        return (
            tf.function(self.transform, input_signature=signature(self.raw_specs), autograph=False),
            tf.function(self.core, input_signature=signature(self.device_specs), autograph=False),
            tf.function(self.serve, input_signature=signature(self.raw_specs), autograph=False),
        )


def signature(specs: list[TensorSpec]) -> list[dict[str, Any]]:
    """The `input_signature` of an endpoint that takes one dict of batches; names survive into the SavedModel."""
    import tensorflow as tf

    return [{spec.name: tf.TensorSpec([None, *spec.shape], spec.dtype, name=spec.name) for spec in specs}]


def _finite(tensor: Any, spec: TensorSpec) -> Any:
    """bool [n]: whether every number of a row is finite."""
    import tensorflow as tf

    finite = tf.math.is_finite(tensor)
    return tf.reduce_all(finite, axis=list(range(1, 1 + len(spec.shape)))) if spec.shape else finite


def where_all(sound: list[Any], numbers: Any) -> Any:
    """`numbers` [n, ...], NaN in rows of which any of `sound` (bool [n]) is false."""
    import tensorflow as tf

    if not sound:
        return numbers
    row = tf.reduce_all(tf.stack(sound, axis=-1), axis=-1)
    return tf.where(row if len(numbers.shape) == 1 else row[:, None], numbers, float("nan"))


def label_of(classes: tuple[str, ...], probabilities: Any) -> Any:
    """The class of the largest of `probabilities` [n, k], as text [n]."""
    import tensorflow as tf

    names = tf.constant([name.encode() for name in classes])
    label = tf.gather(names, tf.argmax(probabilities, axis=-1))
    # The largest of NaN would be the first class: no label is the honest answer.
    return tf.where(tf.reduce_any(tf.math.is_nan(probabilities), axis=-1), "", label)


def _in_batches(function: Any, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = [{name: value.numpy() for name, value in function(batch).items()} for batch in _batches(tensors)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _batches(tensors: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    import tensorflow as tf

    rows = len(next(iter(tensors.values())))
    # One batch even of no rows: the shapes of its answers are right.
    for start in range(0, max(rows, 1), BATCH):
        yield {name: tf.constant(text_as_bytes(tensor[start : start + BATCH])) for name, tensor in tensors.items()}


def text_as_bytes(tensor: np.ndarray) -> np.ndarray:
    """Text [n] of any kind as objects of UTF-8 bytes, as TensorFlow takes it; any other tensor as it is."""
    if tensor.dtype.kind not in "OSU":
        return tensor
    return np.array([text if isinstance(text, bytes) else str(text).encode() for text in tensor], dtype=object)
