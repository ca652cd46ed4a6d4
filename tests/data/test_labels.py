from __future__ import annotations

from collections.abc import Callable

import pytest

from ferryman.data.labels import class_order, read_labels
from ferryman.data.options import ClassLabel, NumberLabel
from ferryman.data.table import Batch
from ferryman.errors import DataError

Batches = Callable[..., Batch]

NULLS = ("", "NA")


def test_a_class_is_its_text_without_the_blanks_round_it(batch: Batches) -> None:
    rows = batch("x,y\n1, Adelie\n2,Adelie \n3,1.0\n4,1\n")
    label = ClassLabel(kind="class", column="y")
    assert read_labels(rows, 1, label, NULLS) == ["Adelie", "Adelie", "1.0", "1"]


def test_a_number_is_a_float(batch: Batches) -> None:
    label = NumberLabel(kind="number", column="y", missing="drop")
    rows = batch("x,y\n1,3750\n2, -1.5e2 \n3,NA\n")
    assert read_labels(rows, 1, label, NULLS) == [3750.0, -150.0, None]


@pytest.mark.parametrize("cell", ["NA", "", " ", " NA "])
@pytest.mark.parametrize("label", [ClassLabel(kind="class", column="y"), NumberLabel(kind="number", column="y")])
def test_a_missing_label_is_refused_by_default_and_can_be_dropped(
    batch: Batches, cell: str, label: ClassLabel | NumberLabel
) -> None:
    rows = batch(f"x,y\n1,2\n2,{cell}\n")
    with pytest.raises(DataError, match=r"rows\.csv, line 3, column 'y': the label is missing \(say `missing: drop`"):
        read_labels(rows, 1, label, NULLS)
    kept = label.model_copy(update={"missing": "drop"})
    assert read_labels(rows, 1, kept, NULLS) == [2.0 if label.kind == "number" else "2", None]


def test_a_label_outside_of_the_classes_is_refused(batch: Batches) -> None:
    label = ClassLabel(kind="class", column="y", classes=("cat", "dog"))
    with pytest.raises(DataError, match=r"line 4, column 'y': received the label 'cow', expected one of 'cat', 'dog'"):
        read_labels(batch("x,y\n1,dog\n2,cat\n3,cow\n"), 1, label, NULLS)


def test_the_classes_may_be_wider_than_the_data(batch: Batches) -> None:
    label = ClassLabel(kind="class", column="y", classes=("cat", "dog"), missing="drop")
    assert read_labels(batch("x,y\n1,dog\n2,NA\n"), 1, label, NULLS) == ["dog", None]


@pytest.mark.parametrize("cell", ["heavy", "nan", "inf", "-Infinity", "1e39", "1_000", "1,0", "0x10"])
def test_a_label_that_is_no_finite_number_is_refused(batch: Batches, cell: str) -> None:
    label = NumberLabel(kind="number", column="y")
    with pytest.raises(DataError, match=r"line 3, column 'y': received the label .*, expected a finite number"):
        read_labels(batch(f'x,y\n1,2\n2,"{cell}"\n'), 1, label, NULLS)


def test_classes_that_are_numbers_are_ordered_by_value_and_others_as_text() -> None:
    assert class_order({"10", "9", "-1", "1.0", "1"}) == ["-1", "1", "1.0", "9", "10"]
    assert class_order({"10", "9", "a"}) == ["10", "9", "a"]
    assert class_order({"2", "10", "nan"}) == ["10", "2", "nan"]
    assert class_order({"b", "B", "ä"}) == ["B", "b", "ä"]
