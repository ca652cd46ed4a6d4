"""Models that were made elsewhere go the whole road: adopted, judged, converted, served, proven."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import (
    CLASSES,
    FEATURES,
    IMAGE,
    NUMBERS,
    Adopted,
    Metrics,
    adopt,
    resolved,
    save_images,
    save_keras,
    save_module,
    save_number,
    write_examples,
)
from model_artifact import release_of

from ferryman.artifacts.evidence import Conversion, Evaluation
from ferryman.artifacts.manifest import seal
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError, SpecError
from ferryman.golden.compare import compare
from ferryman.golden.golden_set import GoldenSet
from ferryman.serving.client import ServingClient
from ferryman.serving.config import ModelConfig
from ferryman.serving.proof import golden_answers, golden_difference
from ferryman.serving.rest import RestClient
from ferryman.serving.server import ServerProcess, start_server
from ferryman.serving.store import copy_version
from ferryman.steps.convert.convert import convert_model
from ferryman.steps.convert.converters import Converters
from ferryman.steps.convert.rung import convert as convert_rung
from ferryman.steps.evaluate.evaluate import evaluate_model
from ferryman.steps.gate.judge import judge
from ferryman.steps.serving_check.check import Asked, rest_answers
from ferryman.steps.train.train import train_model

STRANGER = {"signature": "score", "inputs": {"petal": "petal_cm"}, "label_output": "name"}
DEVICE = {"core": {"signature": "device"}}


def own_artifact(folder: Path, task: str = "class") -> Path:
    """What an earlier run of ours left."""
    write_examples(folder / "examples", FEATURES, task)
    train = {"epochs": 12, "batch_size": 8, "optimizer": {"kind": "adam", "learning_rate": 0.05}}
    run = resolved({"kind": "mlp", "hidden": [8]}, FEATURES, task, train=train)
    arguments = run.text(), str(folder / "runs"), "r0", "", str(folder / "examples"), str(folder / "made"), Metrics()
    train_model(*arguments)
    return folder / "made"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Adopted]:
    """`make(kind)`: one of five adopted models, each made once."""
    done: dict[str, Adopted] = {}

    def adopted(kind: str) -> Adopted:
        folder = tmp_path_factory.mktemp(kind)
        match kind:
            case "module":
                return adopt(folder, save_module(folder / "m"), **STRANGER)
            case "images":
                return adopt(folder, save_images(folder / "m"), IMAGE, core={"signature": "serving_default"})
            case "keras":
                return adopt(folder, save_keras(folder / "m.keras"), NUMBERS)
            case "own":
                return adopt(folder, own_artifact(folder))
            case _:
                cast = {name: {"cast": "float64"} for name in NUMBERS}
                core = {"signature": "serving_default"}
                return adopt(folder, save_number(folder / "m"), NUMBERS, "number", inputs=cast, core=core)

    def call(kind: str) -> Adopted:
        if kind not in done:
            done[kind] = adopted(kind)
        return done[kind]

    return call


KINDS = ("module", "images", "keras", "own", "number")
SOURCES = {"module": "m", "images": "m", "own": "made/saved_model", "number": "m"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The embedded server, without a model yet."""
    process = start_server([], folder=tmp_path_factory.mktemp("server"))
    yield process
    process.stop()


@pytest.mark.parametrize("kind", SOURCES)
def test_the_files_that_are_served_are_the_files_that_were_given(make: Any, kind: str) -> None:
    adopted = make(kind)
    given, kept = adopted.examples.parent / SOURCES[kind], adopted.model / "saved_model"
    names = {path.relative_to(given) for path in given.rglob("*") if path.is_file()}
    assert names == {path.relative_to(kept) for path in kept.rglob("*") if path.is_file()}
    for name in names:
        digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (given, kept)]
        assert digests[0] == digests[1], name


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_server_proves_each_of_them_as_a_rollout_does_and_over_rest(
    make: Any, kind: str, server: ServerProcess, tmp_path: Path
) -> None:
    adopted, group = make(kind), tmp_path / "group"
    name = f"flowers-{kind}"
    release = release_of(adopted.model, model=name)
    copy_version(group, release, 1)
    golden = GoldenSet.read(adopted.model / "golden")
    with ServingClient(server.grpc_address) as client:
        client.reload([ModelConfig(name, str(group / "store" / name), (1,))])
        assert golden_difference(client, group, name, 1) == ""
        asked = Asked(name, golden, adopted.card.signature)
        assert compare(golden.answers, golden_answers(client, asked.name, golden, asked.signature), 1e-6, 1e-6).ok
        over_rest = compare(golden.answers, rest_answers(RestClient(server.rest_url), asked), 1e-6, 1e-6)
        assert over_rest.reason == ""


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[[Adopted], Evaluation]:
    def call(adopted: Adopted) -> Evaluation:
        arguments = adopted.run.text(), str(tmp_path), "r1", "", str(adopted.examples), str(adopted.model)
        evaluate_model(*arguments, str(tmp_path / "evaluation"), Metrics(), Metrics(), str(tmp_path / "report"))
        return Evaluation.read(tmp_path / "evaluation" / "evaluation.json")

    return call


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_judged_by_its_own_outputs(make: Any, kind: str, evaluate: Any) -> None:
    found = evaluate(make(kind))
    assert found.not_finite == 0
    if kind == "number":
        assert found.metrics["rmse"].value == pytest.approx(0.3, abs=0.1)
    else:
        assert found.metrics["accuracy"].value > 0.9
        assert found.classes == CLASSES
    # Of our own artifact it is known which rows it was trained on: others than these.
    assert (found.seen, found.trained_elsewhere) == ("", kind != "own")


@pytest.fixture
def convert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Adopted], Conversion]:
    """Conversions in this process, which has TensorFlow already."""

    class InProcess(Converters):
        def start(self, rung: str, calibration: Path | None = None) -> None:
            self.file(rung).write_bytes(convert_rung(self._saved_model, rung, calibration, self._endpoint))
            self._converter = [sys.executable, "-S", "-c", ""]
            super().start(rung, calibration)

    monkeypatch.setattr("ferryman.steps.convert.convert.Converters", InProcess)

    def call(adopted: Adopted) -> Conversion:
        arguments = adopted.run.text(), str(tmp_path), "r1", "", str(adopted.examples), str(adopted.model)
        convert_model(*arguments, str(tmp_path / "conversion"), Metrics())
        return Conversion.read(tmp_path / "conversion" / "conversion.json")

    return call


FLOAT = {"convert": {"try": ["float32"]}}


@pytest.mark.parametrize("kind", ["images", "keras", "number"])
def test_what_has_a_core_of_numbers_is_converted_and_agrees(make: Any, kind: str, convert: Any) -> None:
    adopted = make(kind)
    spec = {**adopted.run.spec, "convert": {**adopted.run.spec["convert"], "try": ["float32"]}}
    report = convert(replace(adopted, run=adopted.run.model_copy(update={"spec": spec})))
    assert (report.chosen, report.impossible) == ("float32", ""), report.rungs
    (rung,) = report.rungs
    assert rung.largest_difference < 1e-5
    assert (report.transform_ids_differ, report.transform_largest_difference) == (0, 0.0)


def test_a_model_without_a_core_is_told_so_and_held_only_where_a_conversion_is_required(
    make: Any, convert: Any, evaluate: Any
) -> None:
    adopted = make("module")
    report = convert(adopted)
    assert (report.rungs, report.chosen) == ([], None)
    assert "the spec names no `core`" in report.impossible
    found = evaluate(adopted)
    check = _check(found.model)
    gate = adopted.run.read_spec().gate
    verdict = judge(gate, adopted.card.content, found, report, check, None)
    assert verdict.kind == "promote", verdict.reasons
    assert any("taken on trust" in reason.text for reason in verdict.reasons)
    required = report.model_copy(update={"required": True})
    held = judge(gate, adopted.card.content, found, required, check, None)
    assert held.kind == "hold"
    assert [reason.check for reason in held.reasons if not reason.ok] == ["converted"]


def _check(model: str) -> Any:
    from ferryman.artifacts.evidence import AnswerCheck, ServingCheck

    answers = [
        AnswerCheck(protocol=protocol, rows=9, ok=True, largest_absolute=0.0, largest_relative=0.0, labels_changed=0)
        for protocol in ("grpc", "rest")
    ]
    return ServingCheck(model=model, server="s", stand_in=True, answers=answers, absolute=1e-5, relative=1e-4)


def test_a_named_core_takes_its_own_part_of_the_features(tmp_path: Path, convert: Any) -> None:
    adopted = adopt(tmp_path, save_module(tmp_path / "m"), blocks=FLOAT, **STRANGER, **DEVICE)
    assert [(tensor.name, tensor.shape) for tensor in adopted.card.device] == [("petal_cm", []), ("sepal", [1])]
    assert GoldenSet.read(adopted.model / "golden").device["sepal"].shape == (90, 1)
    report = convert(adopted)
    assert report.chosen == "float32", report.rungs
    preprocess = json.loads((adopted.model / "preprocess.json").read_text())
    assert [feed["input"] for feed in preprocess["feeds"]] == ["petal_cm", "sepal"]


def test_the_card_says_how_a_foreign_model_is_asked(make: Any) -> None:
    adopted = make("module")
    card = adopted.card
    assert (card.signature, card.output, card.label_output, card.outputs) == ("score", "p", "name", ["name", "p"])
    assert [(feed.input, feed.features, feed.shape) for feed in card.inputs] == [
        ("ground", ("ground",), ()),
        ("petal_cm", ("petal",), ()),
        ("sepal", ("sepal",), (1,)),
    ]
    fragment = RunStore(adopted.runs).run("r1").fragment("train")
    assert fragment is not None
    assert fragment.headline == "adopted the SavedModel m: signature score, output p; nothing to convert"


def test_our_own_artifact_keeps_all_that_it_knows(make: Any) -> None:
    adopted = make("own")
    made = adopted.examples.parent / "made"
    old = json.loads((made / "model.json").read_text())
    card = adopted.card
    assert (card.content, card.classes, card.fitted) == (old["content"], old["classes"], old["fitted"])
    assert (card.model, card.core is not None) == (old["model"], True)
    assert (adopted.model / "preprocess.json").read_bytes() == (made / "preprocess.json").read_bytes()


def test_what_a_number_head_learned_counts_for_the_content_that_is_kept(tmp_path: Path) -> None:
    made = own_artifact(tmp_path, "number")
    old = json.loads((made / "model.json").read_text())
    assert adopt(tmp_path, made, task="number").card.content == old["content"]


def test_a_content_that_the_weights_do_not_bear_out_is_not_believed(tmp_path: Path) -> None:
    made = own_artifact(tmp_path)
    card = json.loads((made / "model.json").read_text())
    (made / "model.json").write_text(json.dumps({**card, "content": "c" * 64}))
    seal(made, "model", "a forger")
    assert adopt(tmp_path, made).card.content not in (card["content"], "c" * 64)


def test_a_served_version_is_known_as_well_and_leaves_what_is_ours_behind(make: Any, tmp_path: Path) -> None:
    adopted = make("own")
    copy_version(tmp_path / "group", release_of(adopted.model, model="flowers"), 3)
    again = adopt(tmp_path, tmp_path / "group" / "store" / "flowers" / "3")
    assert again.card.content == adopted.card.content
    assert not (again.model / "saved_model" / "assets.extra" / "ferryman").exists()
    copy_version(tmp_path / "group", release_of(again.model, model="flowers"), 4)


def test_an_artifact_of_ours_that_was_altered_is_refused(tmp_path: Path) -> None:
    made = own_artifact(tmp_path)
    (made / "preprocess.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"preprocess.json is not what its manifest says"):
        adopt(tmp_path, made)


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        ({**FEATURES, "petal": {"kind": "number", "missing": "mean"}}, {}, "trained with other features: petal"),
        (FEATURES, {"output": "p"}, "an artifact of Ferryman, which says this itself: leave it out"),
    ],
)
def test_an_artifact_of_ours_that_answers_another_question_is_refused(
    make: Any, tmp_path: Path, features: Any, options: Any, words: str
) -> None:
    made = make("own").examples.parent / "made"
    with pytest.raises(SpecError, match=words):
        adopt(tmp_path, made, features, **options)


def test_an_artifact_of_another_split_may_have_seen_the_test_rows_and_is_held(
    make: Any, evaluate: Any, tmp_path: Path
) -> None:
    adopted = make("own")
    card = adopted.card.model_copy(update={"trained_on": {**adopted.card.split, "seed": 9}})
    folder = tmp_path / "model"
    shutil.copytree(adopted.model, folder)
    card.write(folder / "model.json")
    seal(folder, "model", "a test")
    found = evaluate(replace(adopted, model=folder))
    assert found.seen == "the model may have trained on these rows: its split has seed 9, this one 0"
    report = Conversion(
        model=found.model, required=False, metric="accuracy", may_lose=0.1, rungs=[], chosen=None,
        transform_ids_differ=0, transform_largest_difference=0.0, rows=0,
    )  # fmt: skip
    verdict = judge(adopted.run.read_spec().gate, card.content, found, report, _check(found.model), None)
    assert verdict.kind == "hold"
    assert [reason.check for reason in verdict.reasons if not reason.ok] == ["unseen rows"]


def test_two_exports_of_the_same_weights_have_one_content_and_other_weights_another(make: Any, tmp_path: Path) -> None:
    first = make("module")
    again = adopt(tmp_path / "again", save_module(tmp_path / "m", note="x"), **STRANGER)
    name = "saved_model/saved_model.pb"
    assert (first.model / name).read_bytes() != (again.model / name).read_bytes()
    assert first.card.content == again.card.content
    other = adopt(tmp_path / "other", save_module(tmp_path / "o", scale=0.5), **STRANGER)
    assert other.card.content != first.card.content


def test_a_keras_file_answers_by_feature_and_names_the_class(make: Any) -> None:
    adopted = make("keras")
    golden = GoldenSet.read(adopted.model / "golden")
    assert list(golden.raw) == ["petal", "sepal"]
    (matrix,) = golden.device.values()
    np.testing.assert_array_equal(matrix, np.stack([golden.raw["petal"], golden.raw["sepal"]], 1))
    best = [CLASSES[number].encode() for number in golden.answers["probabilities"].argmax(axis=1)]
    assert golden.answers["label"].tolist() == best
    assert (adopted.model / "model.keras").read_bytes() == (adopted.examples.parent / "m.keras").read_bytes()
