"""Models that Ferryman did not make, the examples that they are judged on, and the step that adopts them.

Nothing is trained: the weights are the densities from which the rows are drawn, so that every model is nearly right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ferryman.artifacts.manifest import seal
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.data.examples import ExamplesWriter
from ferryman.data.options import PinnedSource
from ferryman.features import features_from
from ferryman.spec import spec_from
from ferryman.steps.train.train import train_model
from ferryman.storage.inputs import list_folder, pin, pin_folder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FEATURES: dict[str, dict[str, Any]] = {
    "petal": {"kind": "number"},
    "sepal": {"kind": "number"},
    "ground": {"kind": "category", "missing": "category"},
}
NUMBERS = {name: FEATURES[name] for name in ("petal", "sepal")}
IMAGE: dict[str, dict[str, Any]] = {
    "picture": {"kind": "image", "columns": {"first": 0, "last": 35}, "shape": [6, 6, 1], "scale": 200}
}
CLASSES = ["aster", "bell", "cress"]
SIZES = {"train": 60, "validation": 20, "test": 90}

# Logits of the classes 0, 1, 2 whose petals lie round 1, 3, 5 (deviation 0.5) and sepals round 6, 5, 4 (0.5).
WEIGHTS = np.array([[4, 12, 20], [24, 20, 16]], np.float32)
BIAS = np.array([-74, -68, -82], np.float32)


@dataclass
class Metrics:
    """What KFP's `Metrics` and `ClassificationMetrics` are given."""

    found: dict[str, float] = field(default_factory=dict)

    def log_metric(self, metric: str, value: float) -> None:
        self.found[metric] = value

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Not looked at here."""


def write_examples(folder: Path, features: Mapping[str, Any], task: str = "class") -> Path:
    """Rows of three flowers with `features`; the number to predict is 10 petal - 2 sepal, give or take 0.3."""
    random, writer = np.random.default_rng(3), ExamplesWriter(folder)
    for split, rows in SIZES.items():
        kind = np.arange(rows) % 3
        petal, sepal = random.normal(1 + 2 * kind, 0.5), random.normal(6 - kind, 0.5)
        pixels = random.integers(0, 30, (rows, 36)) + 150 * (np.arange(36) // 12 == kind[:, None])
        columns = {
            "petal": pa.array(petal),
            "sepal": pa.array(sepal),
            "ground": pa.array(
                np.array(["chalk", "moor", None], object)[random.integers(0, 3, rows)].tolist(), pa.string()
            ),
            "picture": pa.array([row.astype(np.uint8).tobytes() for row in pixels], pa.binary(36)),
        }
        label = (
            pa.array([CLASSES[number] for number in kind])
            if task == "class"
            else pa.array(10 * petal - 2 * sepal + random.normal(0, 0.3, rows))
        )
        kept = {name: columns[name] for name in features}
        writer.write_split(split, [pa.table({"row": [f"{row:08x}" for row in range(rows)], **kept, "label": label})])
    options = {name: feature.model_dump(mode="json") for name, feature in features_from(features).items()}
    writer.write_schema(
        {
            "task": task,
            "classes": CLASSES if task == "class" else None,
            "features": {name: {"options": document, "type": "?"} for name, document in options.items()},
            "split": {"kind": "exact", "seed": 0, "rule": "2" * 64, "sizes": SIZES},
            "source": {"name": "flowers.csv", "sha256": "3" * 64},
        }
    )
    seal(folder, "examples", "test")
    return folder


def save_module(folder: Path, signature: str = "score", scale: float = 1.0, note: str = "") -> Path:
    """A `tf.Module` with named inputs, numbers and text, of which one has another name and one another rank.

    `score` answers `p` and `name`, `device` (numbers alone) `p`; `note` changes nothing but the file's bytes.
    """
    import tensorflow as tf

    class Stranger(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights, self.bias = tf.Variable(WEIGHTS * scale), tf.Variable(BIAS * scale)

        @tf.function(  # type: ignore[misc]
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="petal_cm"),
                tf.TensorSpec([None, 1], tf.float32, name="sepal"),
                tf.TensorSpec([None], tf.string, name="ground"),
            ]
        )
        def score(self, petal_cm: Any, sepal: Any, ground: Any) -> dict[str, Any]:
            shift = tf.where(ground == "chalk", 0.5, 0.0)
            p = self._probabilities(petal_cm, sepal, shift)
            return {"p": p, "name": tf.gather(tf.constant(CLASSES), tf.argmax(p, 1))}

        @tf.function(  # type: ignore[misc]
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="petal_cm"),
                tf.TensorSpec([None, 1], tf.float32, name="sepal"),
            ]
        )
        def device(self, petal_cm: Any, sepal: Any) -> dict[str, Any]:
            return {"p": self._probabilities(petal_cm, sepal, tf.zeros_like(petal_cm))}

        def _probabilities(self, petal: Any, sepal: Any, shift: Any) -> Any:
            logits = tf.stack([petal, sepal[:, 0]], 1) @ self.weights + self.bias
            return tf.nn.softmax(logits + tf.stack([shift, 0 * shift, 0 * shift], 1))

    module = Stranger()
    if note:
        tf.function(lambda: note).get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={signature: module.score, "device": module.device})
    return folder


def save_images(folder: Path, dtype: str = "uint8", classes: int = 3, activation: str = "softmax") -> Path:
    """A Keras `Sequential` exported by `model.export`: one image in, `output_0` out."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((6, 6, 1), dtype=dtype),
            keras.layers.Rescaling(1 / 20),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation=activation),
        ]
    )
    bands = (np.arange(36)[:, None] // 12 == np.arange(classes)).astype(np.float32) / 4
    model.set_weights([bands, np.zeros(classes, np.float32)])
    model.export(folder, verbose=False)
    return folder


def save_keras(path: Path, *layers: Any) -> Path:
    """A `.keras` file that takes petal and sepal as the columns of one matrix."""
    import keras

    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(3, activation="softmax")])
    model.set_weights([WEIGHTS, BIAS])
    model.save(path)
    return path


def save_number(folder: Path) -> Path:
    """A module that predicts a number [n, 1] from two float64 inputs."""
    import tensorflow as tf

    class Linear(tf.Module):  # type: ignore[misc]
        @tf.function(  # type: ignore[misc]
            input_signature=[tf.TensorSpec([None], tf.float64, name=name) for name in ("petal", "sepal")]
        )
        def __call__(self, petal: Any, sepal: Any) -> dict[str, Any]:
            # No device file computes with float64; it may be given some.
            petal, sepal = tf.cast(petal, tf.float32), tf.cast(sepal, tf.float32)
            return {"size": (10 * petal - 2 * sepal)[:, None]}

    module = Linear()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
    return folder


def pin_model(source: Path, home: Path) -> PinnedSource:
    """As the command line pins it."""
    names = list_folder(str(source), source.parent)
    if names is None:
        return pin(str(source), source.parent, home)
    return pin_folder(str(source), source.parent, home, names)


def resolved(model: Mapping[str, Any], features: Mapping[str, Any], task: str = "class", **blocks: Any) -> ResolvedRun:
    """The resolved run of a spec with this model block."""
    bound = {"metric": "accuracy", "at_least": 0.9} if task == "class" else {"metric": "rmse", "at_most": 1.0}
    document = {
        "spec": 1,
        "name": "flowers",
        "data": {
            "source": {"name": "flowers.csv", "uri": "file:///flowers.csv", "sha256": "5" * 64},
            "features": features,
            "label": {"kind": task, "column": "flower"},
        },
        "model": model,
        "gate": {"require": [bound]},
        **blocks,
    }
    spec = spec_from(document).document()
    return ResolvedRun(spec=spec, as_of="2026-11-24T12:00:00Z", spec_sha256="a" * 64, resolved_sha256="b" * 64)


@dataclass(frozen=True)
class Adopted:
    """What the step `train` left: its input, its output, and the run that all later steps belong to."""

    examples: Path
    model: Path
    run: ResolvedRun
    runs: Path

    @property
    def card(self) -> ModelCard:
        return ModelCard.read(self.model / FILE)


def adopt(
    folder: Path,
    source: Path,
    features: Mapping[str, Any] = FEATURES,
    task: str = "class",
    blocks: Mapping[str, Any] | None = None,
    **options: Any,
) -> Adopted:
    """Run the step `train` on the model at `source`, with `options` of the model block."""
    examples = folder / "examples"
    if not examples.exists():
        write_examples(examples, features, task)
    pinned = pin_model(source, folder / "home").model_dump(mode="json")
    run = resolved({"kind": "saved", "source": pinned, **options}, features, task, **(blocks or {}))
    model, runs = folder / "model", folder / "runs"
    train_model(run.text(), str(runs), "r1", "", str(examples), str(model), Metrics())
    return Adopted(examples, model, run, runs)


def card_document(folder: Path) -> dict[str, Any]:
    """The model card as plain data."""
    document: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return document
