"""What the step learns of the trained model before any rung is judged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferryman.data.examples import Examples
from ferryman.errors import StepError
from ferryman.spec.blocks import Margin
from ferryman.steps.convert import observe
from ferryman.steps.convert.contract import TransformGap
from ferryman.steps.convert.endpoints import slices
from ferryman.steps.convert.observe import Subject, observe_test, observe_train
from ferryman.steps.convert.tensors import read_tensors

MARGIN = Margin(metric="accuracy", may_lose=0.005)


@pytest.fixture(scope="module")
def table_road(make_road: Callable[..., Any]) -> Any:
    return make_road("class")


@pytest.fixture(scope="module")
def subject(table_road: Any) -> Subject:
    return Subject.load(table_road.model)


def read(road: Any, split: str) -> pa.Table:
    return Examples(road.examples).split(split)


@pytest.fixture
def swapped(subject: Subject) -> Subject:
    """A subject whose `preprocess.json` takes Dream for Torgersen and the reverse."""
    preprocess = copy.deepcopy(subject.preprocess)
    vocabulary = preprocess["features"]["island"]["fitted"]["vocabulary"]
    dream, torgersen = vocabulary.index("Dream"), vocabulary.index("Torgersen")
    vocabulary[dream], vocabulary[torgersen] = "Torgersen", "Dream"
    return replace(subject, preprocess=preprocess)


def without(table: pa.Table, *islands: str) -> pa.Table:
    return table.filter([island not in islands for island in table.column("island").to_pylist()])


@pytest.mark.parametrize(("wanted", "kept"), [(7, 7), (240, 240), (1000, 240)])
def test_calibration_takes_the_first_rows_that_were_asked_for(
    table_road: Any, subject: Subject, wanted: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "slices", partial(slices, size=5))
    calibration, gap = observe_train(subject, read(table_road, "train"), wanted)
    assert {name: len(tensor) for name, tensor in calibration.items()} == dict.fromkeys(calibration, kept)
    flags = [value is None for value in read(table_road, "train").column("mass").to_pylist()[:kept]]
    np.testing.assert_array_equal(calibration["mass_missing"], flags)
    assert not gap.broken


def test_a_category_of_train_rows_alone_is_compared(table_road: Any, swapped: Subject, tmp_path: Path) -> None:
    _, gap = observe_train(swapped, read(table_road, "train"), 10)
    clean = without(read(table_road, "test"), "Dream", "Torgersen")
    assert gap.ids_differ > 50
    assert observe_test(swapped, clean, MARGIN, tmp_path / "a", TransformGap()).gap.ids_differ == 0
    assert observe_test(swapped, clean, MARGIN, tmp_path / "b", gap).gap.ids_differ == gap.ids_differ


def test_the_test_rows_are_compared_too(table_road: Any, swapped: Subject, tmp_path: Path) -> None:
    table = read(table_road, "test")
    truth = observe_test(swapped, table, MARGIN, tmp_path / "a", TransformGap())
    islands = table.column("island").to_pylist()
    assert truth.gap.ids_differ == islands.count("Dream") + islands.count("Torgersen")


def test_the_truth_does_not_depend_on_the_batches(
    table_road: Any, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read(table_road, "test")
    whole = observe_test(subject, table, MARGIN, tmp_path / "whole", TransformGap())
    monkeypatch.setattr(observe, "slices", partial(slices, size=7))
    parts = observe_test(subject, table, MARGIN, tmp_path / "parts", TransformGap())
    np.testing.assert_allclose(parts.served, whole.served, atol=1e-6)
    for name, tensor in read_tensors(tmp_path / "whole").items():
        np.testing.assert_array_equal(read_tensors(tmp_path / "parts")[name], tensor)
    assert len(whole.target) == len(whole.served) == len(whole.core["probabilities"]) == 120
    names = table.column("label").to_pylist()
    assert [subject.card.classes[index] for index in whole.target] == names


def test_without_rows_there_is_nothing_to_find_out(table_road: Any, subject: Subject, tmp_path: Path) -> None:
    table = read(table_road, "test")
    with pytest.raises(StepError, match="no test rows"):
        observe_test(subject, table.slice(0, 0), MARGIN, tmp_path / "a", TransformGap())
    with pytest.raises(StepError, match="no train rows"):
        observe_train(subject, table.slice(0, 0), 10)


def test_a_class_that_the_model_does_not_know_is_named(table_road: Any, subject: Subject, tmp_path: Path) -> None:
    table = read(table_road, "test")
    label = pa.array(["Emperor", *table.column("label").to_pylist()[1:]])
    strange = table.set_column(table.schema.get_field_index("label"), "label", label)
    with pytest.raises(StepError, match="Emperor"):
        observe_test(subject, strange, MARGIN, tmp_path / "a", TransformGap())
