"""The base of a model of the user's own, what its methods get, and the block of a spec that names one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict

from ferryman.code.loading import load_class, load_options
from ferryman.code.place import blaming, wrong
from ferryman.code.reference import Reference
from ferryman.data.options import Options as BaseOptions
from ferryman.features.base import FeatureOptions
from ferryman.metrics import registry
from ferryman.metrics.user import Metric
from ferryman.models.batches import batches

Function = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From tensors by name to tensors by name, built in the graph of the caller."""


# What stands in these docstrings and not below their fields is shown by `help()`.
@dataclass(frozen=True)
class Context:
    """What a model may want to know beside its inputs.

    task: "class" or "number".
    classes: class names in the order of the probabilities; empty for numbers.
    options: the spec's options, an instance of the class's `Options`; also `self.options`.
    seed, epochs, batch_size: as `train` in the spec says; `fit` may follow them. `check` gives 2 epochs.
    encoded: in `build`, feature -> Keras tensor [n, c] or [n, h, w, c], as the built-in families get it: numbers
        normalised, categories embedded, images scaled. Whatever is made of it is a part of the model.
    sizes: in `build`, category -> how many ids its input has: 0 for missing, 1 for unknown, then one a name of the train
        split. `keras.layers.Embedding(context.sizes["brand"], 8)(inputs["brand"])` has a row for each.
    report: in `fit`, tells how far it is, after each epoch: `context.report(epoch, {"loss": 0.3})`. Epochs may be counted
        from 1 or from 0. The names are yours, the numbers finite. The live view draws `loss`, or the first one where none
        is called so; `history.json` and TensorBoard keep all. The validation loss and metrics are measured at each report
        and stand beside them as `validation_NAME`. A `fit` that reports nothing is fine.
    transform: in `endpoints`, a function from raw tensors by name to device tensors by name, the inputs of the model.
    """

    task: Literal["class", "number"]
    classes: tuple[str, ...]
    options: Any
    seed: int
    epochs: int
    batch_size: int
    encoded: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    report: Callable[[int, Mapping[str, float]], None] = lambda epoch, numbers: None
    transform: Function = dict


@dataclass(frozen=True)
class FitRows:
    """The rows of one split as `fit` gets them; `len()` of it is their number.

    device: device tensors [n, ...] by name, the inputs of the model.
    target: class indexes int64 [n], or numbers float32 [n] of mean 0 and deviation 1 over the train split.
    """

    device: Mapping[str, np.ndarray]
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def batches(self, size: int, shuffle: bool = True) -> Any:
        """A `tf.data.Dataset` of (device tensors by name, target), by default in another order in each pass."""
        return batches(self.device, self.target, size, shuffle=shuffle)


class Model(ABC):
    """A model of your own, in a spec e.g. `model: {kind: "fraud.model:Fraud", width: 128}`.

    class Fraud(ferryman.Model):
        class Options(ferryman.Options):
            width: int = 64

        def build(self, inputs, context):
            hidden = keras.layers.Concatenate()(list(context.encoded.values()))
            hidden = keras.layers.Dense(self.options.width, activation="relu")(hidden)
            return keras.Model(inputs, keras.layers.Dense(len(context.classes), activation="softmax")(hidden))
    """

    class Options(BaseOptions):
        """What the spec may say beside `kind`; nothing by default."""

    def __init__(self, options: Any) -> None:
        self.options = options
        """The spec's options, an instance of `Options`."""

    @abstractmethod
    def build(self, inputs: Mapping[str, Any], context: Context) -> Any:
        """A `keras.Model` over `inputs` (Keras inputs by device tensor) with one float32 output.

        `inputs` has for each number NAME, float32 [n] of mean 0 and deviation 1, and with `missing: mean` also
        NAME_missing (1.0 where it was missing, else 0.0); for each category NAME, int32 [n]: 0 missing, 1 unknown, 2 and
        more the names, `context.sizes[NAME]` ids in all; for each image NAME, uint8 [n, h, w, c]. `context.encoded` has
        the same ready for use: normalised, embedded, scaled.

        Classes: probabilities [n, k]. Numbers: the label with mean 0 and deviation 1, [n, 1] or [n]; it is scaled back
        to the label's unit outside. A compiled model brings its own loss and optimizer, any other gets those of `train`.
        """

    def fit(self, model: Any, train: FitRows, validation: FitRows, context: Context) -> None:
        """A training loop of your own: the weights that `model` has afterwards count. By default that of Ferryman."""
        raise NotImplementedError

    def endpoints(self, model: Any, context: Context) -> Mapping[str, Function]:
        """More endpoints of the SavedModel: name -> function from raw tensors to tensors by name. By default none."""
        return {}

    def metrics(self) -> list[Metric]:
        """More metrics to be measured on the validation and the test split. By default none."""
        return []


class UserModelOptions(BaseOptions):
    """A class of the user's own; the fields that are not listed here are its options, judged where its code is."""

    model_config = ConfigDict(extra="allow")

    kind: Reference
    """The class, e.g. `fraud.model:Fraud`; its package is named in `code`."""

    def check(self, features: Mapping[str, FeatureOptions]) -> None:
        """Nothing is known of it without its code."""

    def load(self) -> Model:
        """The user's model with its options.

        Raises:
            SpecError: there is no such class, or an option is wrong.
            UserCodeError: its import fails, or it is no model.
        """
        kind = load_class(self.kind, Model, "model.kind")  # type: ignore[type-abstract]
        options = load_options(kind, self.model_extra or {}, "model")
        with blaming(kind, f"{kind.__name__}() fails"):
            return kind(options)


def author_metrics(author: Model) -> dict[str, registry.Metric]:
    """What the user's model wants to have measured: reference of the metric's class -> metric.

    Raises:
        UserCodeError: `metrics` fails, or gives something else than metrics.
    """
    what = f"{type(author).__name__}.metrics"
    with blaming(author.metrics, f"{what} fails"):
        given = list(author.metrics())
    if not all(isinstance(metric, Metric) for metric in given):
        names = ", ".join(type(metric).__name__ for metric in given)
        raise wrong(author.metrics, f"{what} gives {names}, expected instances of ferryman.Metric")
    return {f"{type(metric).__module__}:{type(metric).__qualname__}": registry.metric_of(metric) for metric in given}
