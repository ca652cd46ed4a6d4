"""The whole step on small real models: the candidate's numbers, and the champion on the same rows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from model_artifact import flip_a_byte

from ferryman.artifacts.manifest import digest_of, verify
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.run_store import RunStore
from ferryman.data.examples import Examples
from ferryman.errors import ArtifactError
from ferryman.steps.evaluate.answers import answers

CLASSES = ["Adelie", "Chinstrap", "Gentoo"]


def rotate(card: dict[str, Any]) -> None:
    """The card's classes in another order: the champion then means another class by each column."""
    card["classes"] = ["Gentoo", "Adelie", "Chinstrap"]


def test_every_metric_of_classes_is_what_scikit_learn_computes(roads: Any, evaluate: Any, truth: Any) -> None:
    road = roads("class")
    labels, given = truth(road)
    named = [CLASSES[index] for index in given.argmax(axis=1)]
    done = evaluate(road)
    values = {name: score.value for name, score in done.found.metrics.items()}
    assert values == pytest.approx(
        {
            "accuracy": sklearn.metrics.accuracy_score(labels, named),
            "macro_f1": sklearn.metrics.f1_score(labels, named, labels=CLASSES, average="macro", zero_division=0),
            "log_loss": sklearn.metrics.log_loss(labels, given / given.sum(axis=1, keepdims=True), labels=CLASSES),
        },
        rel=1e-5,
    )
    assert values["accuracy"] == pytest.approx(0.9)
    assert len({round(value, 4) for value in values.values()}) == 3
    assert done.found.confusion == sklearn.metrics.confusion_matrix(labels, named, labels=CLASSES).tolist()
    parts = sklearn.metrics.precision_recall_fscore_support(labels, named, labels=CLASSES, zero_division=0)
    for part, expected in zip(("precision", "recall", "f1", "rows"), parts, strict=True):
        assert [done.found.per_class[name][part] for name in CLASSES] == pytest.approx(list(expected)), part


def test_every_metric_of_numbers_is_what_scikit_learn_computes(roads: Any, evaluate: Any, truth: Any) -> None:
    road = roads("number")
    labels, given = truth(road)
    done = evaluate(road)
    values = {name: score.value for name, score in done.found.metrics.items()}
    assert values == pytest.approx(
        {
            "rmse": sklearn.metrics.root_mean_squared_error(labels, given),
            "mae": sklearn.metrics.mean_absolute_error(labels, given),
            "r2": sklearn.metrics.r2_score(labels, given),
        },
        rel=1e-5,
    )
    assert (done.found.task, done.found.confusion, done.interface.matrix) == ("number", [], [])
    assert "<svg" in done.page.read_text()


def test_every_interval_holds_its_value(roads: Any, evaluate: Any) -> None:
    for score in evaluate(roads("class")).found.metrics.values():
        assert score.low < score.value < score.high


def test_the_evaluation_is_bound_to_its_model_its_rows_and_its_seal(roads: Any, evaluate: Any, tmp_path: Path) -> None:
    road = roads("class")
    done = evaluate(road)
    assert (done.found.model, done.found.examples) == (digest_of(road.model), digest_of(road.examples))
    assert done.found.model != done.found.examples
    assert (done.found.rows, done.found.not_finite, done.found.champion) == (120, 0, None)
    assert verify(done.folder, "evaluation").files.keys() == {"evaluation.json", "report.html"}
    assert done.page.read_bytes() == (done.folder / "report.html").read_bytes()
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("evaluate")
    assert fragment is not None
    assert fragment.headline.startswith("accuracy 0.9, macro_f1 0.")
    assert fragment.headline.endswith(" on 120 rows")
    assert fragment.metrics == done.interface.scores


def test_the_pipeline_interface_is_given_every_metric_and_the_matrix(roads: Any, evaluate: Any) -> None:
    done = evaluate(roads("class"))
    assert done.interface.scores == {name: score.value for name, score in done.found.metrics.items()}
    assert (done.interface.categories, done.interface.matrix) == (CLASSES, done.found.confusion)


def test_a_champion_that_is_the_same_model_differs_in_no_row(roads: Any, serve: Any, evaluate: Any) -> None:
    road = roads("class")
    champion = evaluate(serve(road, road)).found.champion
    digest = digest_of(road.model)
    assert (champion.version, champion.digest, champion.metric, champion.rows) == (4, digest, "accuracy", 120)
    assert (champion.candidate, champion.champion, champion.difference) == pytest.approx((0.9, 0.9, 0.0))
    assert (champion.differing, champion.method, champion.not_comparable) == (0, "exact", None)
    assert -0.05 < champion.lower < 0


def test_the_classes_of_a_champion_in_another_order_are_compared_by_name(
    roads: Any, serve: Any, evaluate: Any, truth: Any, tmp_path: Path
) -> None:
    road = roads("class")
    labels, given = truth(road)
    order = ["Gentoo", "Adelie", "Chinstrap"]
    theirs = np.mean([order[index] == label for index, label in zip(given.argmax(axis=1), labels, strict=True)])
    champion = evaluate(serve(road, road, rotate)).found.champion
    assert champion.not_comparable is None
    assert champion.champion == pytest.approx(theirs)
    assert champion.champion < 0.2 < champion.candidate == pytest.approx(0.9)
    assert champion.difference == pytest.approx(0.9 - theirs)
    assert champion.differing == 120
    headline = RunStore(tmp_path / "runs").run("r1").fragment("evaluate").headline  # type: ignore[union-attr]
    assert headline.endswith(f"; version 4 accuracy {theirs:.4g} on the same rows")


def test_rows_needed_are_given_where_the_bound_is_not_kept(roads: Any, serve: Any, evaluate: Any) -> None:
    champion = evaluate(serve(roads("class"), roads("class"))).found.champion
    distance = champion.difference - champion.lower
    assert champion.rows_needed == pytest.approx(120 * (distance / 0.02) ** 2, abs=1)
    assert champion.rows_needed > 120


def test_a_champion_of_numbers_is_compared_in_fractions_of_its_error(
    roads: Any, serve: Any, evaluate: Any, truth: Any
) -> None:
    road = roads("number")
    champion = evaluate(serve(road, road)).found.champion
    labels, given = truth(road)
    assert champion.metric == "rmse"
    assert champion.champion == pytest.approx(sklearn.metrics.root_mean_squared_error(labels, given), rel=1e-5)
    assert (champion.difference, champion.differing, champion.method) == (0.0, 0, "bootstrap")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"classes": ["Adelie", "Chinstrap", "Emperor"]}, "the champion knows the classes"),
        ({"split": {"kind": "hash"}}, "may have trained on these rows: its split has kind 'hash'"),
        ({"features": {"mass": {"kind": "number"}}}, "the champion reads other features: bill, island, mass"),
        ({"task": "number", "classes": []}, "the champion predicts a number"),
    ],
)
def test_a_champion_that_is_no_evidence_is_not_compared_and_says_why(
    roads: Any, serve: Any, evaluate: Any, change: dict[str, Any], text: str
) -> None:
    road = roads("class")
    done = evaluate(serve(road, road, lambda card: card.update(change)))
    champion = done.found.champion
    assert text in champion.not_comparable
    assert (champion.lower, champion.difference, champion.champion, champion.rows_needed) == (None, None, None, None)
    assert "Cannot be compared: the champion" in done.page.read_text()
    assert done.found.metrics["accuracy"].value == pytest.approx(0.9)


def test_a_champion_whose_files_are_not_whole_is_no_evidence(roads: Any, serve: Any, evaluate: Any) -> None:
    road = serve(roads("class"), roads("class"))
    place = Path(ResolvedRun.parse(road.resolved).serves.path)
    flip_a_byte(next((place / "variables").glob("variables.data*")), at=200)
    champion = evaluate(road).found.champion
    assert "is not what its manifest says" in champion.not_comparable
    assert (champion.lower, champion.champion) == (None, None)


def test_a_champion_that_came_from_another_model_than_the_record_says_is_no_evidence(
    roads: Any, serve: Any, evaluate: Any
) -> None:
    road = serve(roads("class"), roads("class"))
    fixed = ResolvedRun.parse(road.resolved)
    other = fixed.model_copy(update={"serves": fixed.serves.model_copy(update={"digest": "d" * 64})})
    champion = evaluate(replace(road, resolved=other.text())).found.champion
    assert "expected dddddddddddd" in champion.not_comparable


def test_answers_that_are_no_numbers_leave_no_metric_and_are_counted(
    roads: Any, serve: Any, evaluate: Any, tmp_path: Path
) -> None:
    done = evaluate(serve(roads("broken"), roads("class")))
    assert (done.found.not_finite, done.found.rows) == (3, 120)
    assert (done.found.metrics, done.found.confusion, done.found.champion) == ({}, [], None)
    assert done.interface.scores == {}
    assert "3 rows are answered with NaN or infinity" in done.page.read_text()
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("evaluate")
    assert fragment is not None
    assert fragment.headline == "3 of 120 rows are answered with NaN or infinity"


def test_a_document_keeps_no_bare_nan(roads: Any, evaluate: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    done = evaluate(roads("broken"))
    assert json.loads((done.folder / "evaluation.json").read_text(), parse_constant=refuse)["not_finite"] == 3


def test_a_champion_that_answers_with_nan_is_not_comparable(
    roads: Any, serve: Any, evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(saved_model: Path, card: ModelCard, table: Any) -> np.ndarray:
        given = answers(saved_model, card, table)
        if saved_model.name == "4":
            given[7, 1] = math.nan
        return given

    monkeypatch.setattr("ferryman.steps.evaluate.evaluate.answers", spoilt)
    champion = evaluate(serve(roads("class"), roads("class"))).found.champion
    assert champion.not_comparable == "the champion answers some of these rows with NaN"


def test_a_model_altered_after_its_seal_is_refused_and_leaves_nothing(
    roads: Any, evaluate: Any, tmp_path: Path
) -> None:
    from dataclasses import replace
    from shutil import copytree

    road = roads("class")
    torn = copytree(road.model, tmp_path / "torn")
    (torn / "model.json").write_text((torn / "model.json").read_text().replace("Gentoo", "Emperor"))
    with pytest.raises(ArtifactError):
        evaluate(replace(road, model=torn))
    assert not (tmp_path / "evaluation").exists()


def test_rows_are_answered_the_same_in_many_batches(roads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    road = roads("class")
    card, table = ModelCard.read(road.model / "model.json"), Examples(road.examples).split("test")
    whole = answers(road.model / "saved_model", card, table)
    monkeypatch.setattr("ferryman.steps.evaluate.answers.BATCH", 50)
    np.testing.assert_allclose(answers(road.model / "saved_model", card, table), whole, atol=1e-6)
    assert whole.shape == (120, 3)


def test_a_class_that_the_model_does_not_know_is_refused_by_name(roads: Any) -> None:
    road = roads("class")
    card = ModelCard.read(road.model / "model.json").model_copy(update={"classes": ["Adelie", "Chinstrap"]})
    with pytest.raises(ArtifactError, match=r"the test split has the class 'Gentoo', which the model does not know"):
        card.targets(Examples(road.examples).split("test").column("label").to_pylist())


def test_a_model_without_the_output_of_its_task_is_refused(roads: Any) -> None:
    road = roads("class")
    card = ModelCard.read(road.model / "model.json").model_copy(update={"task": "number"})
    with pytest.raises(ArtifactError, match="no 'value' in its signatures; expected serving_default with value"):
        answers(road.model / "saved_model", card, Examples(road.examples).split("test"))
