"""A `.keras` file that exists already, as a model with our three endpoints: raw rows in, named answers out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman.errors import SpecError
from ferryman.features import FeatureOptions, Feed, TensorSpec
from ferryman.models.core import ClassHead, Core, Head
from ferryman.models.saved import SavedOptions
from ferryman.process import one_line
from ferryman.steps.train.match import match_inputs, match_output
from ferryman.steps.train.signature import Signature, Tensor, check_batches
from ferryman.steps.train.trained import TrainedModel, label_of, where_all
from ferryman.storage.archive import MAX_BYTES

_FOREIGN: Final = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""Layers that carry code or files of their own, which no check can see through."""


@dataclass(frozen=True)
class KerasFileModel(TrainedModel):
    """A loaded Keras model between features and head; its own preprocessing, if any, lies inside it."""

    feeds: tuple[Feed, ...] = ()
    output: str = ""
    """The name of the output with the probabilities or the value."""

    def transform(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The model's inputs of raw tensors, in the caller's graph; the same as `feed_tensors`."""
        return {feed.input: _fed(feed, raw) for feed in self.feeds}

    def core(self, device: Mapping[str, Any]) -> dict[str, Any]:
        """`probabilities` or `value` of the model's inputs, in the caller's graph."""
        import keras
        import tensorflow as tf

        model = self.core_model.exported
        inputs = keras.tree.map_structure(lambda tensor: device[tensor.name], model.input)
        outputs = keras.tree.flatten(model(inputs, training=False))
        answer = tf.cast(outputs[_output_names(model).index(self.output)], tf.float32)
        classes = isinstance(self.head, ClassHead)
        return {"probabilities": answer} if classes else {"value": tf.reshape(answer, [-1])}

    def serve(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """As `TrainedModel.serve`; a missing number that the spec lets in is the model's own affair."""
        import tensorflow as tf

        sound = [
            tf.math.is_finite(raw[name])
            for name, feature in self.features.items()
            if feature.raw_spec(name).dtype == "float32" and getattr(feature, "missing", "") == "refuse"
        ]
        outputs = {name: where_all(sound, numbers) for name, numbers in self.core(self.transform(raw)).items()}
        if isinstance(self.head, ClassHead):
            outputs["label"] = label_of(self.head.classes, outputs["probabilities"])
        return outputs

    @property
    def device_specs(self) -> list[TensorSpec]:
        """The inputs of `core`."""
        return [TensorSpec(feed.input, feed.dtype, feed.shape) for feed in self.feeds]


def load_keras_file(
    path: Path, options: SavedOptions, features: Mapping[str, FeatureOptions], head: Head
) -> KerasFileModel:
    """The model of a `.keras` file, its inputs matched to the features' raw tensors.

    Raises:
        SpecError: it is no `.keras` file, holds code, or does not fit the features or the label.
    """
    check_config(path)
    check_options(options)
    model = _loaded(path)
    signature = _signature(model)
    check_batches(signature, "model.source")
    classes = list(head.classes) if isinstance(head, ClassHead) else None
    feeds = tuple(match_inputs(options, features, signature))
    output = match_output(options, classes, signature, "model.output")
    return KerasFileModel(features, {}, head, Core(model, model), feeds, output)


def check_config(path: Path) -> None:
    """Refuse what is no `.keras` file, is too large unpacked, or names a layer with code or files of its own.

    Keras' safe mode refuses lambdas as well; this also finds what it let through in some releases.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise SpecError("model.source", f"unpacked it has more than {MAX_BYTES:,} bytes: it is not loaded")
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SpecError("model.source", f"no .keras file (a zip archive with config.json): {error}") from error
    for part in _objects(config):
        kind, module = str(part.get("class_name")), part.get("module") or "keras"
        if kind in _FOREIGN or module.partition(".")[0] not in ("keras", "builtins"):
            name = part.get("config", {}).get("name", "") if isinstance(part.get("config"), dict) else ""
            raise SpecError(
                "model.source",
                f"the layer {name!r} is {module}.{kind}, which carries code of its own and is not loaded; build it "
                "of Keras' own layers, or export the model as a SavedModel",
            )
        inside = part.get("config")
        if isinstance(inside, dict) and isinstance(inside.get("vocabulary"), str):
            raise SpecError(
                "model.source",
                f"the layer {inside.get('name')!r} reads the file {inside['vocabulary']!r}: give it its words",
            )


def check_options(options: SavedOptions) -> None:
    """Refuse options that speak of signatures: a `.keras` file has none, and is exported with ours."""
    said = [name for name in ("label_output", "core") if getattr(options, name)]
    said += ["signature"] if options.signature != type(options).model_fields["signature"].default else []
    if said:
        raise SpecError(
            f"model.{said[0]}",
            "the source is a .keras file, which has no signatures: it is exported as `serving_default` with the class's "
            "name, and converted where its inputs are numbers; leave this out",
        )


def architecture(model: Any) -> Any:
    """What a Keras model is apart from its weights, as JSON data."""
    import keras

    return json.loads(json.dumps(keras.saving.serialize_keras_object(model)["config"], default=str, sort_keys=True))


def _loaded(path: Path) -> Any:
    import keras

    try:
        # Never `safe_mode=False`: a lambda in the file is code that would run here.
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers do
        raise SpecError("model.source", f"Keras {keras.__version__} cannot load it: {one_line(error)}") from error
    if not getattr(model, "inputs", None):
        raise SpecError(
            "model.source", "the model does not say its inputs: build it with keras.Input, then save it again"
        )
    if isinstance(model, keras.Sequential):
        # A loaded Sequential knows its tensors, but not as one structure.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def _signature(model: Any) -> Signature:
    import keras

    outputs = zip(_output_names(model), keras.tree.flatten(model.output), strict=True)
    return Signature(
        "the .keras file",
        {tensor.name: Tensor(tensor.dtype, tuple(tensor.shape)) for tensor in model.inputs},
        {name: Tensor(_float(tensor.dtype), tuple(tensor.shape)) for name, tensor in outputs},
    )


def _output_names(model: Any) -> list[str]:
    """The names of the outputs as `keras.tree.flatten` orders them: the keys of a dict, else those of the layers."""
    if isinstance(model.output, dict):
        return sorted(model.output)
    return list(model.output_names)


def _float(dtype: str) -> str:
    # Mixed precision: the answer is cast to float32 whatever it was computed in.
    return "float32" if dtype in ("bfloat16", "float16") else dtype


def _fed(feed: Feed, raw: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    columns = [raw[name] for name in feed.features]
    tensor = columns[0] if len(columns) == 1 else tf.stack(columns, axis=1)
    if feed.dtype != "string":
        tensor = tf.cast(tensor, feed.dtype)
    if feed.divide is not None:
        tensor = tensor * feed.factor
    # An identity keeps an input apart from an output of the same endpoint.
    return tf.identity(tf.reshape(tensor, [-1, *feed.shape]))


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialised object of a config, however deep."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)
