"""Rows that are asked about are read in the format that the model's card names."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import DataError
from ferryman_pipelines.cli.asking import raw_batches


def card(form: dict[str, Any]) -> ModelCard:
    return ModelCard(
        name="garden",
        task="class",
        features={"size": {"kind": "number", "missing": "mean"}, "color": {"kind": "category", "missing": "category"}},
        fitted={},
        label={"kind": "class", "column": "plant"},
        split={},
        format=form,
        seed=0,
        content="",
        outputs=[],
        device=[],
    )


def read(content: bytes, form: dict[str, Any]) -> dict[str, np.ndarray]:
    batches = [rows.tensors for rows in raw_batches(io.BytesIO(content), "rows", card(form))]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_a_model_of_parquet_data_is_asked_with_parquet_rows() -> None:
    content = io.BytesIO()
    table = {"color": ["red", None, "blue"] * 200, "size": pa.array([1.5, 2.25, None] * 200)}
    pq.write_table(pa.table(table), content)
    rows = read(content.getvalue(), {"kind": "parquet"})
    assert rows["color"].tolist() == ["red", "", "blue"] * 200
    np.testing.assert_array_equal(rows["size"], np.array([1.5, 2.25, np.nan] * 200, dtype=np.float32))


def test_a_card_from_before_there_were_formats_to_choose_reads_csv_as_ever() -> None:
    old = {"kind": "csv", "header": True, "separator": ";", "nulls": ["", "NA"]}
    rows = read(b"size;color\n1.5;NA\n;red\n", old)
    assert rows["color"].tolist() == ["", "red"]
    assert np.isnan(rows["size"]).tolist() == [False, True]


def test_decimal_commas_of_the_model_are_those_of_the_rows() -> None:
    form = {"kind": "csv", "separator": ";", "decimal": ","}
    assert read(b"size;color\n1,5;2,5\n", form)["size"].tolist() == [1.5]
    with pytest.raises(DataError, match=r"rows, line 2, column 'size': feature 'size': received '1\.5'"):
        read(b"size;color\n1.5;red\n", form)
    with pytest.raises(DataError, match=r"expected a Parquet file"):
        read(b"size;color\n1,5;red\n", {"kind": "parquet"})
