import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferryman.artifacts.manifest import verify
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.run_store import RunStore
from ferryman.data.examples import Examples, ExamplesWriter
from ferryman.errors import StepError
from ferryman.features import device_reference, features_from
from ferryman.golden.compare import compare
from ferryman.golden.golden_set import GoldenSet
from ferryman.models.core import NumberHead
from ferryman.spec import spec_from
from ferryman.steps.train.train import model_card, train_model

FEATURES = {
    "mass": {"kind": "number", "missing": "mean"},
    "island": {"kind": "category", "missing": "category"},
}
SIZES = {"train": 240, "validation": 60, "test": 300}


class Metrics(dict[str, float]):
    """What KFP's Metrics offers."""

    def log_metric(self, metric: str, value: float) -> None:
        self[metric] = value


def resolved(task: str, **train: Any) -> str:
    label = {"kind": task, "column": "y"}
    spec = spec_from(
        {
            "spec": 1,
            "name": "birds",
            "data": {"source": "birds.csv", "features": FEATURES, "label": label},
            "model": {"kind": "mlp", "hidden": [16]},
            "train": {"epochs": 6, "batch_size": 32, "optimizer": {"kind": "adam", "learning_rate": 0.03}, **train},
            "gate": {"require": []},
        }
    )
    run = ResolvedRun(
        spec=spec.document(), as_of="2026-01-01T00:00:00Z", spec_sha256="0" * 64, resolved_sha256="1" * 64
    )
    return run.text()


def write_examples(folder: Path, task: str) -> Path:
    """Heavy birds are of class b; the number to predict is half the mass plus 1000 on the island of Dream."""
    from ferryman.artifacts.manifest import seal

    folder.mkdir(parents=True)
    writer = ExamplesWriter(folder)
    random = np.random.default_rng(4)
    for name, rows in SIZES.items():
        mass = random.normal(4200, 800, rows)
        dream = random.integers(0, 2, rows).astype(bool)
        label = np.where(mass > 4200, "b", "a").tolist() if task == "class" else mass / 2 + 1000 * dream
        columns = {
            "row": [f"{row:08x}" for row in range(rows)],
            "mass": pa.array([None if row % 13 == 0 else value for row, value in enumerate(mass)], pa.float64()),
            "island": pa.array(np.where(dream, "Dream", "Biscoe").tolist(), pa.string()),
            "label": label,
        }
        writer.write_split(name, [pa.table(columns)])
    split = {"kind": "exact", "seed": 0, "rule": "2" * 64, "sizes": SIZES}
    options = {name: feature.model_dump(mode="json") for name, feature in features_from(FEATURES).items()}
    writer.write_schema(
        {
            "task": task,
            "classes": ["a", "b"] if task == "class" else None,
            "features": {name: {"options": document, "type": "?"} for name, document in options.items()},
            "split": split,
            "source": {"name": "birds.csv", "sha256": "3" * 64},
        }
    )
    seal(folder, "examples", "test")
    return folder


def train(folder: Path, task: str, run_id: str = "r1", **settings: Any) -> tuple[Path, Metrics]:
    examples, model, scores = folder / "examples", folder / run_id / "model", Metrics()
    if not examples.exists():
        write_examples(examples, task)
    train_model(resolved(task, **settings), str(folder / "runs"), run_id, "", str(examples), str(model), scores)
    return model, scores


@pytest.fixture(scope="module")
def class_run(tmp_path_factory: Any) -> tuple[Path, Path, Metrics]:
    folder = tmp_path_factory.mktemp("class")
    return (folder, *train(folder, "class"))


def test_the_last_epoch_can_be_read_from_outside_with_the_numbers_of_all(class_run: tuple[Path, Path, Metrics]) -> None:
    folder, model, _ = class_run
    found = RunStore(folder / "runs").run("r1").progress("train")
    epochs = json.loads((model / "history.json").read_text())["epochs"]
    assert found is not None
    assert (found.epoch, found.epochs, found.rows) == (len(epochs), 6, SIZES["train"])
    assert [{"epoch": epoch, **numbers} for epoch, numbers in enumerate(found.numbers, 1)] == epochs
    assert found.seconds > 0


def test_the_artifact_is_whole_and_says_what_it_holds(class_run: tuple[Path, Path, Metrics]) -> None:
    folder, model, scores = class_run
    files = verify(model, "model").files
    needed = {"saved_model/saved_model.pb", "model.keras", "model.json", "preprocess.json", "history.json"}
    assert needed <= files.keys()
    assert any(name.startswith("logs/validation/events.out.tfevents") for name in files)
    assert scores.keys() == {"validation_loss", "validation_accuracy"}
    fragment = RunStore(folder / "runs").run("r1").fragment("train")
    assert fragment is not None
    assert fragment.headline.startswith("validation accuracy 0.9")
    assert fragment.facts["content"] == ModelCard.read(model / "model.json").content


def test_the_card_names_classes_tensors_and_the_rows_it_was_trained_on(class_run: tuple[Path, Path, Metrics]) -> None:
    card = ModelCard.read(class_run[1] / "model.json")
    assert (card.task, card.classes, card.outputs) == ("class", ["a", "b"], ["probabilities", "label"])
    assert [(tensor.name, tensor.dtype) for tensor in card.device] == [
        ("mass", "float32"),
        ("mass_missing", "float32"),
        ("island", "int32"),
    ]
    assert (card.split["rule"], card.split["source_sha256"]) == ("2" * 64, "3" * 64)


def test_fitted_values_come_from_the_train_split_alone(class_run: tuple[Path, Path, Metrics]) -> None:
    folder, model, _ = class_run
    mass = Examples(folder / "examples").split("train").column("mass").drop_null().to_numpy().astype(np.float32)
    fitted = ModelCard.read(model / "model.json").fitted["mass"]
    assert fitted["mean"] == pytest.approx(mass.astype(np.float64).mean(), rel=1e-6)


def test_the_golden_set_holds_unseen_rows_of_every_class_that_export_and_device_file_answer_alike(
    class_run: tuple[Path, Path, Metrics],
) -> None:
    import tensorflow as tf

    folder, model, _ = class_run
    golden = GoldenSet.read(model / "golden")
    assert len(golden) == 256
    unseen = set(Examples(folder / "examples").split("test").column("mass").drop_null().to_pylist())
    seen = {row["mass"] for row in golden.rows if row["mass"] == row["mass"]}
    assert seen <= {float(np.float32(value)) for value in unseen}
    assert set(golden.answers["label"]) == {b"a", b"b"}
    signature = tf.saved_model.load(str(model / "saved_model")).signatures["serving_default"]
    answers = signature(**{name: tf.constant(tensor) for name, tensor in golden.raw.items()})
    assert compare(golden.answers, {name: tensor.numpy() for name, tensor in answers.items()}, 1e-6, 1e-6).ok
    preprocess = json.loads((model / "preprocess.json").read_text(encoding="utf-8"))
    assert compare(golden.device, device_reference(preprocess, golden.raw), 1e-6, 0.0).ok


def test_the_keras_file_gives_what_core_gives(class_run: tuple[Path, Path, Metrics]) -> None:
    import keras

    golden = GoldenSet.read(class_run[1] / "golden")
    again = keras.models.load_model(class_run[1] / "model.keras")
    np.testing.assert_allclose(again(golden.device)["probabilities"], golden.answers["probabilities"], atol=1e-6)


def test_the_history_and_tensorboard_hold_every_epoch(class_run: tuple[Path, Path, Metrics]) -> None:
    import tensorflow as tf

    history = json.loads((class_run[1] / "history.json").read_text(encoding="utf-8"))
    assert history["epochs"][0].keys() == {"epoch", "loss", "validation_loss", "validation_accuracy"}
    losses = [epoch["validation_loss"] for epoch in history["epochs"]]
    assert history["best_epoch"] == 1 + losses.index(min(losses))
    (log,) = (class_run[1] / "logs" / "validation").iterdir()
    drawn = [
        tf.make_ndarray(value.tensor).item()
        for event in tf.compat.v1.train.summary_iterator(str(log))
        for value in event.summary.value
        if value.tag == "epoch_loss" and value.metadata.plugin_data.plugin_name == "scalars"
    ]
    assert drawn == pytest.approx(losses)


def test_the_same_seed_gives_the_same_content_in_another_process_and_another_seed_does_not(
    class_run: tuple[Path, Path, Metrics],
) -> None:
    folder, model, _ = class_run
    other, _ = train(folder, "class", "r2", seed=1)
    code = (
        "import sys; from ferryman.steps.train.train import train_model\n"
        "from types import SimpleNamespace\n"
        "scores = SimpleNamespace(log_metric=lambda name, value: None)\n"
        "train_model(sys.argv[1], sys.argv[2], 'r3', '', sys.argv[3], sys.argv[4], scores)"
    )
    places = [str(folder / "runs"), str(folder / "examples"), str(folder / "r3" / "model")]
    told = subprocess.run(
        [sys.executable, "-c", code, resolved("class"), *places],
        capture_output=True,
        text=True,
        env={**os.environ},
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "epoch 1/6  loss" in told.stdout
    contents = [ModelCard.read(path / "model.json").content for path in (model, folder / "r3" / "model", other)]
    assert contents[0] == contents[1] != contents[2]


def test_a_number_is_learned_in_its_own_unit(tmp_path: Path) -> None:
    model, scores = train(tmp_path, "number", epochs=40, stop={"metric": "rmse", "patience": 10})
    card = ModelCard.read(model / "model.json")
    assert (card.task, card.classes, card.outputs) == ("number", [], ["value"])
    # The labels' deviation is about 640; a thirteenth of the rows do not know their mass, which costs some 110.
    assert scores["validation_rmse"] < 220
    assert 2000 < GoldenSet.read(model / "golden").answers["value"].mean() < 3200


def test_a_wild_learning_rate_leaves_advice_and_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"try a lower train.optimizer.learning_rate"):
        train(tmp_path, "number", optimizer={"kind": "sgd", "learning_rate": 1e12})
    assert not (tmp_path / "r1" / "model").exists()
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("train")
    assert fragment is not None
    assert (fragment.state, fragment.error and fragment.error.kind) == ("failed", "StepError")


def test_labels_in_another_unit_make_another_model_of_the_same_weights(
    tmp_path: Path, make_model: Any, make_rows: Any
) -> None:
    spec = ResolvedRun.parse(resolved("number")).read_spec()
    schema = Examples(write_examples(tmp_path / "examples", "number")).schema
    model = make_model(make_rows(64, 1), NumberHead(4.0, 2.0))
    contents = [
        model_card(spec, schema, replace(model, head=NumberHead(mean, deviation))).content
        for mean, deviation in ((4.0, 2.0), (8.0, 2.0), (4.0, 4.0), (4.0, 2.0))
    ]
    assert len(set(contents)) == 3
    assert contents[0] == contents[3]
