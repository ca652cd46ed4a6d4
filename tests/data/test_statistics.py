from __future__ import annotations

import random

import pyarrow as pa
import pytest

from ferryman.data.statistics import column_statistics, table_statistics


def test_numbers_are_described_without_the_missing_ones() -> None:
    column = pa.chunked_array([pa.array([1.0, None, 4.0]), pa.array([7.0])])
    assert column_statistics(column) == {
        "rows": 4, "missing": 1, "min": 1.0, "max": 7.0, "mean": 4.0, "std": pytest.approx(6**0.5),
    }  # fmt: skip


def test_a_column_that_is_missing_throughout_has_no_numbers() -> None:
    column = pa.chunked_array([pa.array([None, None], type=pa.float64())])
    assert column_statistics(column) == {
        "rows": 2, "missing": 2, "min": None, "max": None, "mean": None, "std": None,
    }  # fmt: skip


def test_numbers_do_not_depend_on_the_order_of_the_rows() -> None:
    draw = random.Random(3)
    values = [draw.gauss(0, 1) * 10 ** draw.randint(-9, 9) for _ in range(2000)]
    there = column_statistics(pa.chunked_array([values]))
    draw.shuffle(values)
    assert column_statistics(pa.chunked_array([values])) == there


def test_bytes_are_described_over_all_rows() -> None:
    first, second = [bytes([0, 255]), None], [bytes([5, 0])]
    column = pa.chunked_array([pa.array(first, type=pa.binary(2)), pa.array(second, type=pa.binary(2))])
    found = column_statistics(column)
    assert (found["missing"], found["min"], found["max"], found["mean"]) == (1, 0, 255, 65.0)
    assert found["std"] == pytest.approx((sum((v - 65) ** 2 for v in (0, 255, 5, 0)) / 4) ** 0.5)


def test_texts_are_counted_the_most_frequent_first() -> None:
    column = pa.chunked_array([pa.array(["b", "a", None, "c", "c"])])
    assert column_statistics(column) == {
        "rows": 5, "missing": 1, "distinct": 3, "top": [["c", 2], ["a", 1], ["b", 1]],
    }  # fmt: skip
    many = column_statistics(pa.chunked_array([pa.array([f"{number:03}" for number in range(50)])]))
    assert (many["distinct"], len(many["top"]), many["top"][-1]) == (50, 20, ["019", 1])


def test_a_table_is_described_without_its_ids() -> None:
    found = table_statistics(pa.table({"row": ["00", "01"], "size": [1.0, 2.0]}))
    assert found["rows"] == 2
    assert list(found["columns"]) == ["size"]
