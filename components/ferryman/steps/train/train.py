"""The step `train`: from examples to one model artifact with its golden set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.artifacts.model_card import FILE, DeviceTensor, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import Scores, step
from ferryman.data.examples import Examples
from ferryman.features import features_from, fit_features, preprocess_document
from ferryman.models.core import ClassHead, Head, NumberHead, build_core
from ferryman.models.runtime import fix_chance
from ferryman.steps.train.choose_golden import choose_rows, record_golden
from ferryman.steps.train.content import content_hash, weights_by_path
from ferryman.steps.train.export import export_saved_model
from ferryman.steps.train.fit import History, Plan, fit
from ferryman.steps.train.logs import Progress
from ferryman.steps.train.rows import Rows, rows_from
from ferryman.steps.train.trained import TrainedModel
from ferryman.steps.train.validation import LOSS, Validation

if TYPE_CHECKING:
    from ferryman.spec import Spec

SHOWN = {"class": "accuracy", "number": "rmse"}
"""The metric that is told beside the loss, by task, whatever decides when to stop."""


@dataclass(frozen=True)
class Training:
    """A fitted model with what it was fitted on."""

    model: TrainedModel
    history: History
    rows: int
    """Rows of the train split."""

    scores: dict[str, float]
    """The validation metrics of the weights that were kept."""


def train_model(resolved: str, root: str, run_id: str, job: str, examples: str, model: str, scores: Scores) -> None:
    """Fit the model of the resolved run on the examples and write the artifact `model`.

    It holds `saved_model/`, `model.keras`, `model.json`, `preprocess.json`, `history.json`, `logs/`, `golden/`.

    Raises:
        StepError: fitting went wild; the message says what to try.
        ArtifactError: the examples are torn or altered.
    """
    with step("train", root, run_id, job) as run:
        spec = ResolvedRun.parse(resolved).read_spec()
        run.input(Path(examples), kind="examples")
        folder = run.output(Path(model), kind="model")
        data = Examples(Path(examples))
        training = fit_model(spec, data, folder / "logs")
        card = write_model(spec, data, training, folder)
        run.facts |= {"content": card.content, "epochs": len(training.history.epochs), "rows": training.rows}
        run.log_metrics(scores, {f"validation_{name}": value for name, value in training.scores.items()})
        run.headline = headline(spec, training)


def fit_model(spec: Spec, examples: Examples, logs: Path) -> Training:
    """The fitted model of a spec; the same seed, examples and machine give the same bits."""
    fix_chance(spec.train.seed)
    features = features_from({name: entry["options"] for name, entry in examples.schema["features"].items()})
    classes = examples.schema["classes"]
    train, validation = (rows_from(features, classes, examples.split(split)) for split in ("train", "validation"))
    fitted = fit_features(features, train.raw)
    head = _head(classes, train)
    model = TrainedModel(features, fitted, head, build_core(spec.model, features, fitted, head))
    watched = Validation(model, model.device_tensors(validation.raw), validation.target, _metrics(spec))
    progress = Progress(spec.train.epochs, logs)
    try:
        target = _trainable(head, train.target)
        device = model.device_tensors(train.raw)
        history = fit(model.core_model, _plan(spec), device, target, validation=watched, told=progress)
    finally:
        progress.close()
    return Training(model, history, len(train), watched.measure())


def write_model(spec: Spec, examples: Examples, training: Training, folder: Path) -> ModelCard:
    """All files of the artifact but the manifest; the golden set first, from the model in memory."""
    model = training.model
    test = rows_from(model.features, examples.schema["classes"], examples.split("test"))
    chosen = choose_rows(test.target, classes=isinstance(model.head, ClassHead))
    record_golden(model, test.take(chosen).raw).write(folder / "golden")
    export_saved_model(model, folder / "saved_model")
    model.core_model.exported.save(folder / "model.keras")
    _write(folder / "preprocess.json", preprocess_document(model.features, model.fitted))
    _write(folder / "history.json", training.history.document())
    card = model_card(spec, examples.schema, model)
    (folder / FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def model_card(spec: Spec, schema: Mapping[str, Any], model: TrainedModel) -> ModelCard:
    """What a reader must know of the model; `content` is the hash of what it knows."""
    document = spec.document()
    head = model.head
    classes = list(head.classes) if isinstance(head, ClassHead) else []
    knows = {
        "model": document["model"],
        "features": {name: feature.model_dump(mode="json") for name, feature in model.features.items()},
        "fitted": {name: dict(fitted) for name, fitted in model.fitted.items()},
        "label": document["data"]["label"],
        "classes": classes,
    }
    if isinstance(head, NumberHead):
        # No weights, and yet learned: labels in another unit make another model of the same weights.
        knows["head"] = {"mean": head.mean, "deviation": head.deviation}
    return ModelCard(
        name=spec.name,
        task=spec.task,
        classes=classes,
        features=knows["features"],
        fitted=knows["fitted"],
        label=knows["label"],
        split={**schema["split"], "source_sha256": schema["source"]["sha256"]},
        format=document["data"]["format"],
        columns=schema.get("columns"),
        width=schema.get("width", 0),
        model=knows["model"],
        seed=spec.train.seed,
        content=content_hash(weights_by_path(model.core_model.exported), knows),
        scale=head.deviation if isinstance(head, NumberHead) else 1.0,
        outputs=model.outputs,
        device=[DeviceTensor(name=s.name, dtype=s.dtype, shape=list(s.shape)) for s in model.device_specs],
    )


def headline(spec: Spec, training: Training) -> str:
    """One line for people, e.g. `validation accuracy 0.972 after 15 of 18 epochs on 3,500 rows`."""
    name = SHOWN[spec.task]
    history = training.history
    return (
        f"validation {name} {training.scores[name]:,.4g} after {history.best} of {len(history.epochs)} epochs "
        f"on {training.rows:,} rows"
    )


def _head(classes: list[str] | None, train: Rows) -> Head:
    if classes is not None:
        return ClassHead(tuple(classes))
    return NumberHead(float(np.float32(train.target.mean())), float(np.float32(train.target.std())))


def _trainable(head: Head, target: np.ndarray) -> np.ndarray:
    """What the loss is taken against: class ids, or numbers of mean 0 and deviation 1, which any optimizer reaches."""
    if isinstance(head, ClassHead):
        return target
    return ((target - head.mean) / head.deviation).astype(np.float32)


def _metrics(spec: Spec) -> list[str]:
    wanted = [SHOWN[spec.task], *([spec.train.stop.metric] if spec.train.stop else [])]
    return [name for name in dict.fromkeys(wanted) if name != LOSS]


def _plan(spec: Spec) -> Plan:
    train = spec.train
    return Plan(
        epochs=train.epochs,
        batch_size=train.batch_size,
        optimizer=train.optimizer.kind,
        learning_rate=train.optimizer.learning_rate,
        stop_metric=train.stop.metric if train.stop else None,
        patience=train.stop.patience if train.stop else 0,
    )


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
