"""The step `train`: from examples to one model artifact with its golden set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferryman.artifacts.model_card import FILE, DeviceTensor, ModelCard
from ferryman.artifacts.progress import ProgressFile
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import Scores, step
from ferryman.data.examples import Examples
from ferryman.features import features_from, preprocess_document
from ferryman.metrics import Metric
from ferryman.models.core import ClassHead, NumberHead
from ferryman.models.runtime import fix_chance
from ferryman.models.saved import SavedOptions
from ferryman.spec.user_metrics import user_metrics
from ferryman.steps.train.adopt import adopt_model
from ferryman.steps.train.building import fit_untrained, untrained_model
from ferryman.steps.train.choose_golden import choose_rows, record_golden
from ferryman.steps.train.content import content_hash, weights_by_path
from ferryman.steps.train.export import export_saved_model, save_keras
from ferryman.steps.train.fit import History, Plan
from ferryman.steps.train.logs import Progress
from ferryman.steps.train.made import Made, code_of
from ferryman.steps.train.rehearsal import rehearse_model
from ferryman.steps.train.rows import rows_from
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
    """Make the model of the resolved run, fitted on the examples or adopted, and write the artifact `model`.

    It holds `saved_model/`, `model.json`, `preprocess.json`, `golden/`; a fitted one `model.keras`, `history.json` and
    `logs/` as well.

    Raises:
        StepError: fitting went wild; the message says what to try.
        SpecError: the model to adopt is not what the spec says.
        ArtifactError: the examples are torn or altered.
    """
    with step("train", root, run_id, job) as run:
        spec = ResolvedRun.parse(resolved).read_spec()
        run.use_code(spec.code)
        run.input(Path(examples), kind="examples")
        folder = run.output(Path(model), kind="model")
        data = Examples(Path(examples))
        if isinstance(spec.model, SavedOptions):
            made = adopt_model(spec, spec.model, data, folder, run.work)
        else:
            made = fitted(spec, data, folder, run.progress)
        run.facts |= {"content": made.card.content, **made.facts}
        run.log_metrics(scores, made.scores)
        run.headline = made.headline


def fitted(spec: Spec, examples: Examples, folder: Path, file: ProgressFile | None = None) -> Made:
    """A model of a built-in family or of the user's own class, fitted on the train split; its artifact lies in `folder`.

    Each epoch is told in `file` too, if there is one.
    """
    training = fit_model(spec, examples, folder / "logs", file=file)
    card = write_model(spec, examples, training, folder)
    facts = {
        "epochs": int(training.history.epochs[-1]["epoch"]) if training.history.epochs else 0,
        "rows": training.rows,
    }
    scores = {f"validation_{name}": value for name, value in training.scores.items()}
    return Made(card, headline(spec, training), facts, scores)


def fit_model(
    spec: Spec, examples: Examples, logs: Path, plan: Plan | None = None, file: ProgressFile | None = None
) -> Training:
    """The fitted model of a spec, by another plan if there is one; same seed, examples and machine give the same bits.

    Each epoch is told in `logs`, and in `file` if there is one.

    Raises:
        SpecError, UserCodeError: the user's code is wrong; it is tried before the first epoch.
        StepError: fitting went wild.
    """
    plan = plan or plan_of(spec)
    fix_chance(spec.train.seed, fresh_names=bool(spec.references))
    features = features_from({name: entry["options"] for name, entry in examples.schema["features"].items()})
    classes = examples.schema["classes"]
    train, validation = (rows_from(features, classes, examples.split(split)) for split in ("train", "validation"))
    own = user_metrics(spec)
    model = untrained_model(spec, plan, features, train, classes)
    if spec.references:
        rehearse_model(model, train, own.values())
    metrics: list[str | Metric] = [*_metrics(spec), *own.values()]
    watched = Validation(model, model.device_tensors(validation.raw), validation.target, metrics)
    progress = Progress(plan.epochs, logs, len(train), file)
    try:
        history = fit_untrained(model, plan, train, watched, progress)
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
    save_keras(model, folder / "model.keras")
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
    code = code_of(spec)
    if code:
        # Other code may be another model, whatever its weights.
        knows["code"] = code
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
        code=code,
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
    # A loop of one's own may report every tenth epoch, so that they are not to be counted.
    epochs = (
        f"after {history.best} of {history.epochs[-1]['epoch']:.0f} epochs" if history.epochs else "by its own loop"
    )
    return f"validation {name} {training.scores[name]:,.4g} {epochs} on {training.rows:,} rows"


def _metrics(spec: Spec) -> list[str]:
    wanted = [SHOWN[spec.task], *([spec.train.stop.metric] if spec.train.stop else [])]
    return [name for name in dict.fromkeys(wanted) if name != LOSS]


def plan_of(spec: Spec) -> Plan:
    """How the `train` block says to fit."""
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
