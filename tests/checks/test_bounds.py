"""The bounds under `gate`: which can be reached, which ask nothing, which need more rows; and what serves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ferryman.artifacts.evidence import ChampionComparison, Evaluation, Score
from ferryman.artifacts.manifest import seal
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.metrics.power import Rivals, guessed_rivals, power
from ferryman.serving.record import GroupRecord, ModelPart, Released, version_folder
from ferryman.serving.release import Release
from ferryman.serving.store import EXTRA, KIND
from ferryman.spec.proposing.proposal import propose
from ferryman.spec.proposing.source import look_at
from ferryman.spec.proposing.writing import spec_text
from ferryman.spec.yaml import read_yaml


def bounds(shop: Any, **gate: Any) -> None:
    shop.spec["gate"] |= gate


def test_an_accuracy_that_only_a_flawless_score_reaches_is_an_error(shop: Any) -> None:
    bounds(shop, require=[{"metric": "accuracy", "at_least": 0.999}])
    checked = shop.check()
    (found,) = checked.of("error")
    assert found.startswith("gate.require.0: even 120 of 120 right show no more than an accuracy of 0.969")
    assert "3,900 test rows" in found
    assert checked.exit_code == 3


def test_an_accuracy_nearer_to_one_than_the_rows_can_tell_is_a_warning(shop: Any) -> None:
    bounds(shop, require=[{"metric": "accuracy", "at_least": 0.98}])
    checked = shop.check()
    assert checked.exit_code == 0
    assert any("gate.require.0: even 120 of 120" in text for text in checked.of("warning"))


def test_a_bound_beyond_the_metric_is_a_mistake_of_the_spec(shop: Any) -> None:
    bounds(shop, require=[{"metric": "accuracy", "at_least": 95}, {"metric": "log_loss", "at_least": 0.1}])
    checked = shop.check()
    assert [text.split(":")[0] for text in checked.of("error")] == ["gate.require.0", "gate.require.1"]
    assert checked.exit_code == 2


def test_a_bound_that_the_most_frequent_class_meets_by_itself_is_told(shop: Any) -> None:
    for row in shop.rows[:370]:
        row["sent"] = "kept"
    bounds(shop, require=[{"metric": "accuracy", "at_least": 0.9}])
    assert any("always answering 'kept' reaches accuracy 0.9" in text for text in shop.check().of("warning"))


def test_an_error_that_the_mean_makes_is_told(shop: Any) -> None:
    shop.spec["data"]["label"] = {"kind": "number", "column": "weight"}
    del shop.spec["data"]["features"]["weight"]
    shop.spec["gate"] = {
        "require": [{"metric": "rmse", "at_most": 0.8}],
        "champion": {"metric": "rmse", "may_lose": 0.2},
    }
    assert any("always answering the mean reaches rmse 0.5" in text for text in shop.check().of("warning"))


def test_a_margin_that_the_rows_cannot_support_is_told_with_rows_and_margin_that_would_do(shop: Any) -> None:
    bounds(shop, champion={"metric": "accuracy", "may_lose": 0.01})
    (found,) = [text for text in shop.check().of("warning") if "may_lose" in text]
    assert "with 120 test rows and may_lose 0.01 an equally good model is promoted almost never" in found
    assert "`may_lose: 0.1" in found
    assert "rows in all with test: 0.3" in found


def test_a_margin_that_the_rows_support_is_noted(shop: Any) -> None:
    checked = shop.check()
    assert any("may_lose 0.2 an equally good model is promoted" in text for text in checked.of("note"))


def champion(shop: Any, **changes: Any) -> ModelCard:
    """Version 3 serves: what a run of the shop's spec as it is now would have released, but for `changes` of its card."""
    from ferryman.spec import spec_from
    from ferryman.steps.prepare.rows import Reading
    from ferryman.storage.local import sha256_file

    spec = spec_from(shop.spec)
    shop.write()
    reading = Reading(spec.data.format, spec.data.features, spec.data.label, spec.data.split)
    document = spec.document()
    split = document["data"]["split"]
    card = ModelCard(
        name="orders",
        task="class",
        classes=["back", "kept"],
        features=document["data"]["features"],
        fitted={},
        label=document["data"]["label"],
        split={
            **split,
            "rule": reading.rule(list(shop.rows[0])),
            "source_sha256": sha256_file(shop.folder / "orders.csv"),
        },
        format=document["data"]["format"],
        seed=0,
        content="c" * 64,
        outputs=[],
        device=[],
    ).model_copy(update=changes)
    group = shop.home / "groups" / "local"
    place = version_folder(group, "orders", 3)
    (place / EXTRA).mkdir(parents=True)
    card.write(place / EXTRA / FILE)
    common = {"digest": "d" * 64, "content": "c" * 64}
    Release(name="r-1", model="orders", created="2026-01-01T00:00:00Z", artifact="x", **common).write(
        place / EXTRA / "release.json"
    )
    seal(place, KIND, "a test")
    part = ModelPart(stable=Released(number=3, release="r-1", **common))
    GroupRecord(replicas=["0"], models={"orders": part}).write(group / "record.json")
    return card


def test_a_champion_of_the_same_data_can_be_compared_with(shop: Any) -> None:
    champion(shop)
    checked = shop.check()
    assert checked.of("error") == []
    assert checked.headline("champion") == "version 3 serves"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda spec, rows: spec["data"]["features"].pop("shop"), "reads other features: shop"),
        (lambda spec, rows: spec["data"]["split"].update(seed=2), "its split has "),
        (lambda spec, rows: rows[0].update(sent="lost"), "knows the classes ['back', 'kept']"),
        (lambda spec, rows: rows[0].update(price=1.0), "an exact split of other source data"),
    ],
)
def test_a_spec_whose_candidates_would_all_be_held_is_told_before_it_runs(shop: Any, change: Any, words: str) -> None:
    champion(shop)
    change(shop.spec, shop.rows)
    checked = shop.check()
    (found,) = [text for text in checked.of("error") if "version 3 of orders" in text]
    assert words in found
    assert "the run would be held" in found
    assert checked.exit_code == 3


def test_what_the_champions_comparisons_showed_counts_instead_of_a_guess(shop: Any) -> None:
    champion(shop)
    compared = ChampionComparison(
        version=2, digest="e" * 64, metric="accuracy", rows=100, candidate=0.9, champion=0.9, difference=0.0, lower=-0.1,
        differing=29, method="exact",
    )  # fmt: skip
    found = Evaluation(
        model="d" * 64, examples="f" * 64, task="class", rows=100, metrics={"accuracy": Score(value=0.9)},
        champion=compared,
    )  # fmt: skip
    folder = shop.home / "runs" / "orders-1" / "artifacts" / "evaluate"
    folder.mkdir(parents=True)
    (shop.home / "runs" / "orders-1" / "request.json").write_text("{}")
    found.write(folder / "evaluation.json")
    checked = shop.check()
    assert checked.ground.rivals == Rivals("accuracy", 0.3, measured=True)
    assert "(measured)" in checked.headline("power")


def test_without_a_comparison_the_champions_own_score_counts(shop: Any) -> None:
    from ferryman.checks.gate import _expected

    champion(shop)
    folder = shop.home / "runs" / "orders-1" / "artifacts" / "evaluate"
    folder.mkdir(parents=True)
    (shop.home / "runs" / "orders-1" / "request.json").write_text("{}")
    score = {"accuracy": Score(value=0.83)}
    Evaluation(model="d" * 64, examples="f" * 64, task="class", rows=100, metrics=score).write(
        folder / "evaluation.json"
    )
    ground = shop.check().ground
    assert (ground.rivals, _expected(ground)) == (None, 0.83)
    assert power(guessed_rivals("accuracy", 0.83), 120, 0.2) > 0.9


def test_a_torn_record_of_the_group_is_told(shop: Any) -> None:
    champion(shop)
    (shop.home / "groups" / "local" / "record.json").write_text("{")
    checked = shop.check()
    assert any("is torn" in text for text in checked.of("error"))
    assert checked.exit_code == 7


@pytest.mark.parametrize("label", ["sent", "weight"])
def test_a_proposed_spec_says_of_its_margin_what_check_says_of_it(shop: Any, label: str) -> None:
    shop.write()
    data = str(shop.folder / "orders.csv")
    found = look_at(data, label, shop.home / "cache")
    text = spec_text(propose(found.survey, found.form, found.label), "orders", data, "ferryman init")
    (comment,) = re.findall(r"an equally good model is promoted ([\w ]+);", re.sub(r"\n *# *", " ", text))
    shop.spec = read_yaml(text)
    assert f"an equally good model is promoted {comment} (estimated)" in shop.check().headline("power")
