"""Rows for a model mean what they meant in its raw data; answers are printed as they are."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import DataError
from ferryman_pipelines.cli import predict
from ferryman_pipelines.cli.predict import Shape, raw_batches


def card(*, header: bool, label: Any, **features: Any) -> ModelCard:
    return ModelCard(
        name="m",
        task="class",
        features={name: {"kind": "number", "column": column} for name, column in features.items()},
        fitted={},
        label={"kind": "class", "column": label},
        split={},
        format={"kind": "csv", "header": header},
        columns=["a", "c", "y"] if header else None,
        width=3,
        seed=0,
        content="",
        outputs=[],
        device=[],
    )


def read(text: str, model: ModelCard) -> dict[str, list[float]]:
    (batch,) = raw_batches(io.BytesIO(text.encode()), "rows.csv", model)
    return {name: np.asarray(tensor).tolist() for name, tensor in batch.items()}


def test_an_index_means_the_column_that_it_meant_in_training() -> None:
    model = card(header=True, label="y", first=0, second=1)
    assert read("c,a,y\n2,1,x\n", model) == {"first": [1.0], "second": [2.0]}
    with pytest.raises(DataError, match="feature 'first': there is no column 'a'"):
        read("c,b\n2,1\n", model)


def test_rows_without_names_have_the_columns_of_training_or_lack_a_label_that_is_the_last() -> None:
    model = card(header=False, label=2, first=0, second=1)
    assert read("1,2,x\n", model) == read("1,2\n", model) == {"first": [1.0], "second": [2.0]}
    for text in ("1,2,3,4\n", "1\n"):
        with pytest.raises(DataError, match="expected 3, or 2 without the label"):
            read(text, model)
    leading = card(header=False, label=0, first=1, second=2)
    assert read("x,1,2\n", leading) == {"first": [1.0], "second": [2.0]}
    with pytest.raises(DataError, match="received rows of 2 cells, expected 3, the label's too"):
        read("1,2\n", leading)


PREDICTIONS = [
    {"label": "a", "score": 0.9, "scores": {"a": 0.9, "score": 0.06, "label": 0.04}},
    {"label": "", "score": None, "scores": {"a": None, "score": None, "label": None}},
]


def test_classes_may_be_called_as_the_columns_are(capsys: pytest.CaptureFixture[str]) -> None:
    predict._print(PREDICTIONS, Shape.csv)
    printed = capsys.readouterr()
    assert list(csv.reader(io.StringIO(printed.out))) == [
        ["label", "score", "a", "score", "label"],
        ["a", "0.9", "0.9", "0.06", "0.04"],
        ["", "", "", "", ""],
    ]
    assert "1 of 2 rows have no answer" in printed.err


def test_a_row_without_an_answer_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    predict._print(PREDICTIONS, Shape.json)
    assert json.loads(capsys.readouterr().out)[1]["score"] is None


def test_a_label_that_would_break_the_table_is_shown_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    predict._print([{"label": "two\nlines", "score": 1.0, "scores": {"two\nlines": 1.0}}], Shape.table)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].split() == [r"'two\nlines'", "1", "1"]
