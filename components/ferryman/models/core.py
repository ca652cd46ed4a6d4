"""`core`: the part of a model between the device tensors and the numeric outputs, as one Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ferryman.features import Fitted, TensorSpec, device_specs
from ferryman.features.base import FeatureOptions
from ferryman.models.base import FamilyOptions


@dataclass(frozen=True)
class ClassHead:
    """One probability per class."""

    classes: tuple[str, ...]

    @property
    def outputs(self) -> list[TensorSpec]:
        """What `core` gives."""
        return [TensorSpec("probabilities", "float32", (len(self.classes),))]


@dataclass(frozen=True)
class NumberHead:
    """One number per row, in the label's unit: mean + deviation * what the network gives."""

    mean: float
    """Mean of the train split's labels, in the label's unit."""

    deviation: float
    """Their standard deviation; above 0."""

    @property
    def outputs(self) -> list[TensorSpec]:
        """What `core` gives."""
        return [TensorSpec("value", "float32")]


Head = ClassHead | NumberHead


@dataclass(frozen=True)
class Core:
    """Two Keras models that share every layer, over the same inputs: the device tensors by name."""

    trained: Any
    """Gives what the loss is taken of: logits [n, k], or the standardised number [n, 1]."""

    exported: Any
    """Gives `probabilities` [n, k] or `value` [n], float32, in a dict."""

    foreign: bool = False
    """Whether `trained` is of the user's own class: it gives probabilities and not logits where the label is a class."""

    compiled: bool = False
    """Whether `trained` brings its own loss and optimizer."""


def build_core(
    family: FamilyOptions, features: Mapping[str, FeatureOptions], fitted: Mapping[str, Fitted], head: Head
) -> Core:
    """The Keras models, freshly initialised from Keras' global seed.

    Every layer has a name of its own, so that weights have the same paths in every process.
    """
    import keras

    inputs, encoded = core_inputs(features, fitted)
    body = family.body(encoded)
    if isinstance(head, ClassHead):
        raw = keras.layers.Dense(len(head.classes), name="head.logits")(body)
        outputs = {"probabilities": keras.layers.Softmax(name="head.probabilities")(raw)}
    else:
        raw = keras.layers.Dense(1, name="head.standardised")(body)
        outputs = {"value": in_unit(raw, head)}
    return Core(keras.Model(inputs, raw, name="trained"), keras.Model(inputs, outputs, name="core"))


def core_inputs(
    features: Mapping[str, FeatureOptions], fitted: Mapping[str, Fitted]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Keras inputs by device tensor, and what each feature makes of its own for the model."""
    import keras

    # Rank 1 for table columns: rank-2 inputs convert to TFLite without a word and fail when run.
    inputs = {
        spec.name: keras.Input(shape=spec.shape, dtype=spec.dtype, name=spec.name)
        for spec in device_specs(features, fitted)
    }
    return inputs, {name: feature.encode(name, fitted[name], inputs) for name, feature in features.items()}


def in_unit(standardised: Any, head: NumberHead) -> Any:
    """The Keras tensor [n] in the label's unit of one [n, 1] or [n] with mean 0 and deviation 1."""
    import keras

    scaled = keras.layers.Rescaling(head.deviation, offset=head.mean, name="head.scaled")(standardised)
    return keras.layers.Reshape((), name="head.value")(scaled) if len(scaled.shape) == 2 else scaled
