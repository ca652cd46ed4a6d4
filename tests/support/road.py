"""Small models and their examples as the steps before leave them, so that a step is tested without training."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ferryman.artifacts.manifest import seal
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.data.examples import ExamplesWriter
from ferryman.features import (
    features_from,
    fit_features,
    preprocess_document,
    raw_tensors,
)
from ferryman.models import CnnOptions, MlpOptions
from ferryman.models.core import ClassHead, NumberHead, build_core
from ferryman.spec import spec_from
from ferryman.steps.train.export import export_saved_model
from ferryman.steps.train.trained import TrainedModel

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

PENGUINS: dict[str, dict[str, Any]] = {
    "mass": {"kind": "number", "missing": "mean"},
    "bill": {"kind": "number"},
    "island": {"kind": "category", "missing": "category"},
}
DIGITS: dict[str, dict[str, Any]] = {
    "image": {"kind": "image", "columns": {"first": 0, "last": 63}, "shape": [8, 8, 1], "scale": 16}
}
SIZES = {"train": 240, "validation": 30, "test": 120}


@dataclass(frozen=True)
class Road:
    """What lies before the step: the folders of its two input artifacts and the resolved run."""

    examples: Path
    model: Path
    resolved: str


def lay_road(
    folder: Path,
    task: str,
    wrong: Callable[[Path], None] | None = None,
    convert: dict[str, Any] | None = None,
    gate: dict[str, Any] | None = None,
    change: Callable[[dict[str, pa.Table]], dict[str, pa.Table]] | None = None,
) -> Road:
    """The road of a task (`class`, `number` or `image`) in `folder`.

    The labels are what the model itself answers, every tenth one another: so it need not be trained, and its accuracy
    is about 0.9. `wrong` may spoil the model's folder before it is sealed, `change` the rows after the labels are
    taken; `convert` and `gate` go into the spec.
    """
    options = DIGITS if task == "image" else PENGUINS
    tables = {split: _rows(task, count, seed) for seed, (split, count) in enumerate(SIZES.items())}
    labels = _make_model(task, options, tables, folder / "model")
    if wrong:
        wrong(folder / "model")
    seal(folder / "model", "model", "test")
    _make_examples(task, change(tables) if change else tables, labels, folder / "examples")
    return Road(folder / "examples", folder / "model", _resolved(task, options, convert or {}, gate or {}))


def _rows(task: str, count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    if task == "image":
        pixels = random.integers(0, 17, (count, 64)).astype(np.uint8)
        return pa.table({"image": pa.array([row.tobytes() for row in pixels], pa.binary(64))})
    mass = random.normal(4200, 800, count)
    islands = np.array(["Biscoe", "Dream", "Torgersen", "Åland", None], dtype=object)
    island = islands[random.choice(5, count, p=[0.4, 0.3, 0.2, 0.05, 0.05])]
    return pa.table(
        {
            "mass": pa.array(
                [None if missing else value for missing, value in zip(random.random(count) < 0.1, mass, strict=True)]
            ),
            "bill": pa.array(random.normal(40, 5, count)),
            "island": pa.array(list(island), pa.string()),
        }
    )


def _make_model(task: str, options: dict[str, Any], tables: dict[str, pa.Table], folder: Path) -> dict[str, list[Any]]:
    """Write the model artifact without its manifest; returns the labels of every split."""
    import keras

    keras.utils.set_random_seed(11)
    features = features_from(options)
    fitted = fit_features(features, raw_tensors(features, tables["train"]))
    classes = [str(number) for number in range(10)] if task == "image" else ["Adelie", "Chinstrap", "Gentoo"]
    head = NumberHead(4.0, 2.5) if task == "number" else ClassHead(tuple(classes))
    family = CnnOptions(kind="cnn", filters=(8,), dense=16) if task == "image" else MlpOptions(kind="mlp", hidden=(32,))
    model = TrainedModel(features, fitted, head, build_core(family, features, fitted, head))
    export_saved_model(model, folder / "saved_model")
    numeric = task == "number"
    card = {
        "name": "penguins",
        "task": "number" if numeric else "class",
        "classes": [] if numeric else classes,
        "features": {name: feature.model_dump(mode="json") for name, feature in features.items()},
        "fitted": fitted,
        "label": {},
        "split": {},
        "seed": 11,
        "content": "c" * 64,
        "outputs": model.outputs,
        "device": [{"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)} for spec in model.device_specs],
    }
    ModelCard.model_validate(card).write(folder / "model.json")
    (folder / "preprocess.json").write_text(json.dumps(preprocess_document(features, fitted)), encoding="utf-8")
    return {split: _labels(model.answers(raw_tensors(features, table)), classes) for split, table in tables.items()}


def _labels(answers: dict[str, np.ndarray], classes: list[str]) -> list[Any]:
    if "value" in answers:
        return [float(value) + (0.5 if row % 2 else -0.5) for row, value in enumerate(answers["value"])]
    best = answers["probabilities"].argmax(axis=1)
    return [classes[(index + (row % 10 == 0)) % len(classes)] for row, index in enumerate(best)]


def _resolved(task: str, options: dict[str, Any], convert: dict[str, Any], gate: dict[str, Any]) -> str:
    document = {
        "spec": 1,
        "name": "penguins",
        "data": {
            "source": {"name": "rows.csv", "uri": "file:///rows.csv", "sha256": "5" * 64},
            "format": {"kind": "csv"},
            "features": options,
            "label": {"kind": "number" if task == "number" else "class", "column": "species"},
            "split": {"kind": "exact"},
        },
        "model": {"kind": "cnn", "filters": [8], "dense": 16} if task == "image" else {"kind": "mlp", "hidden": [32]},
        "train": {},
        "convert": convert,
        "gate": {"require": [], **gate},
    }
    spec = spec_from(document).document()
    return ResolvedRun(spec=spec, as_of="2026-11-24T12:00:00Z", spec_sha256="a" * 64, resolved_sha256="b" * 64).text()


def _make_examples(task: str, tables: dict[str, pa.Table], labels: dict[str, list[Any]], folder: Path) -> None:
    writer = ExamplesWriter(folder)
    for split, table in tables.items():
        rows = pa.array([f"{split}-{number:05}" for number in range(table.num_rows)])
        label = pa.array(labels[split], pa.float64() if task == "number" else pa.string())
        whole = table.add_column(0, "row", rows).append_column("label", label)
        writer.write_split(split, [whole.slice(0, 25), whole.slice(25)])
    seal(folder, "examples", "test")
