"""Whether a champion's answers to these rows are evidence, and in which order its classes stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ferryman.artifacts.model_card import ModelCard
from ferryman.steps.evaluate.champion import in_order, not_comparable

EXACT = {"kind": "exact", "validation": 0.1, "test": 0.2, "seed": 7, "source_sha256": "a" * 64, "rule": 1}
HASH = {"kind": "hash", "validation": 0.1, "test": 0.2, "seed": 7, "key": ["id"], "source_sha256": "a" * 64, "rule": 1}
FEATURES = {"mass": {"kind": "number", "missing": "mean"}, "island": {"kind": "category"}}


def card(split: dict[str, Any] | None = None, **changes: Any) -> ModelCard:
    base = {
        "name": "penguins",
        "task": "class",
        "classes": ["a", "b", "c"],
        "features": FEATURES,
        "fitted": {},
        "label": {},
        "split": EXACT if split is None else split,
        "seed": 1,
        "content": "c" * 64,
        "outputs": ["probabilities"],
        "device": [],
    }
    return ModelCard.model_validate({**base, **changes})


def test_a_champion_of_the_same_rows_and_features_is_comparable_whatever_it_has_learned() -> None:
    assert not_comparable(card(), card(seed=2, content="d" * 64, fitted={"mass": {"mean": 3.0}})) == ""


def test_a_champion_of_the_other_task_is_not_comparable() -> None:
    reason = not_comparable(card(), card(task="number", classes=[]))
    assert reason == "the champion predicts a number, the candidate a class"


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "x"]])
def test_a_champion_of_fewer_more_or_other_classes_is_not_comparable(classes: list[str]) -> None:
    reason = not_comparable(card(), card(classes=classes))
    assert reason == f"the champion knows the classes {classes}, the candidate ['a', 'b', 'c']"


def test_the_same_classes_in_another_order_are_comparable() -> None:
    assert not_comparable(card(), card(classes=["c", "a", "b"])) == ""


@pytest.mark.parametrize(
    ("features", "changed"),
    [
        ({**FEATURES, "mass": {"kind": "number", "missing": "refuse"}}, "mass"),
        ({"island": FEATURES["island"]}, "mass"),
        ({**FEATURES, "bill": {"kind": "number"}}, "bill"),
        ({"mass": FEATURES["mass"], "sex": {"kind": "category"}}, "island, sex"),
    ],
)
def test_a_champion_that_reads_other_features_names_them(features: dict[str, Any], changed: str) -> None:
    assert not_comparable(card(), card(features=features)) == f"the champion reads other features: {changed}"


@pytest.mark.parametrize(
    "changes",
    [
        {"label": {"kind": "class", "column": "rent", "missing": "refuse"}},
        {"label": {"kind": "class", "column": "price", "missing": "drop"}},
        {"label": {"kind": "class", "column": "price", "missing": "refuse"}, "format": {"nulls": ["NA"]}},
    ],
)
def test_a_champion_that_was_asked_for_another_label_is_not_comparable(changes: dict[str, Any]) -> None:
    mine = card(HASH, label={"kind": "class", "column": "price", "missing": "refuse"}, format={"nulls": [""]})
    assert not_comparable(mine, card(HASH, **{"format": {"nulls": [""]}, **changes})).startswith(
        "the champion predicts another label: {'column': "
    )


@pytest.mark.parametrize(
    ("mine", "changes", "text"),
    [
        (EXACT, HASH, "its split has kind 'hash', this one 'exact'"),
        (EXACT, {"seed": 8}, "its split has seed 8, this one 7"),
        (EXACT, {"rule": 2}, "its split has rule 2, this one 1"),
        (HASH, {"key": ["name"]}, "its split has key ['name'], this one ['id']"),
        (EXACT, {"test": 0.3}, "its split has other sizes"),
        (EXACT, {"validation": 0.2}, "its split has other sizes"),
        (HASH, {"test": 0.3}, "its split has other sizes"),
        (HASH, {"validation": 0.2}, "its split has other sizes"),
        (EXACT, {"source_sha256": "b" * 64}, "an exact split of other source data puts rows on other sides"),
    ],
)
def test_a_champion_that_may_have_trained_on_these_rows_is_not_comparable(
    mine: dict[str, Any], changes: dict[str, Any], text: str
) -> None:
    reason = not_comparable(card(mine), card({**mine, **changes}))
    assert reason.startswith("the champion may have trained on these rows: ")
    assert text in reason


def test_a_hash_split_keeps_its_rows_apart_when_the_data_grow() -> None:
    assert not_comparable(card(HASH), card({**HASH, "source_sha256": "b" * 64})) == ""


def test_a_champion_that_was_trained_elsewhere_is_taken_as_it_is() -> None:
    assert not_comparable(card(), card({**EXACT, "seed": 8}, trained_on={})) == ""


def test_a_champion_that_was_adopted_is_judged_by_the_split_that_it_was_trained_on() -> None:
    assert "its split has seed 8, this one 7" in not_comparable(card(), card(trained_on={**EXACT, "seed": 8}))
    assert not_comparable(card(), card({**EXACT, "seed": 8}, trained_on=EXACT)) == ""


def test_the_champions_columns_are_put_into_the_candidates_order_by_name() -> None:
    champion = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])  # b, c, a
    found = in_order(champion, card(classes=["b", "c", "a"]), card())
    assert found.tolist() == [[0.2, 0.5, 0.3], [0.3, 0.1, 0.6]]


def test_numbers_have_no_order_of_classes() -> None:
    answers = np.array([3.0, 1.0, 2.0])
    number = card(task="number", classes=[])
    assert in_order(answers, number, number).tolist() == [3.0, 1.0, 2.0]
