"""Answers are written as they are and as they come; a file of them is whole or not there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ferryman.errors import UsageError
from ferryman_pipelines.cli import answers
from ferryman_pipelines.cli.answers import Shape, shape_of, text_writer, written

ANSWERS = [
    {"label": "a", "score": 0.9, "scores": {"a": 0.9, "score": 0.06, "label": 0.04}},
    {"label": "", "score": None, "scores": {"a": None, "score": None, "label": None}},
]


def text(shape: Shape, *batches: Sequence[dict[str, Any]]) -> str:
    pieces: list[str] = []
    writer = text_writer(shape, pieces.append)
    for batch in batches:
        writer.write(batch)
    writer.end()
    return "".join(pieces)


def test_classes_may_be_called_as_the_columns_are() -> None:
    assert list(csv.reader(io.StringIO(text(Shape.csv, ANSWERS)))) == [
        ["label", "score", "a", "score", "label"],
        ["a", "0.9", "0.9", "0.06", "0.04"],
        ["", "", "", "", ""],
    ]


@pytest.mark.parametrize("shape", [Shape.csv, Shape.json, Shape.table])
def test_batches_make_one_text_the_same_as_all_at_once(shape: Shape) -> None:
    assert text(shape, ANSWERS[:1], ANSWERS[1:]) == text(shape, ANSWERS)
    numbers = [{"value": 1.5}, {"value": None}, {"value": -20.0}]
    assert text(shape, numbers[:2], numbers[2:]) == text(shape, numbers)


def test_json_is_one_array_as_ever_and_a_row_without_an_answer_is_null() -> None:
    written = text(Shape.json, ANSWERS[:1], ANSWERS[1:])
    assert written == json.dumps(ANSWERS, indent=2) + "\n"
    assert json.loads(written)[1]["score"] is None


def test_a_label_that_would_break_the_table_is_shown_quoted() -> None:
    lines = text(Shape.table, [{"label": "two\nlines", "score": 1.0, "scores": {"two\nlines": 1.0}}]).splitlines()
    assert len(lines) == 2
    assert lines[1].split() == [r"'two\nlines'", "1", "1"]


def test_text_is_written_before_the_next_batch_is_asked_for() -> None:
    pieces: list[str] = []
    writer = text_writer(Shape.csv, pieces.append)
    writer.write(ANSWERS[:1])
    assert "".join(pieces) == "label,score,a,score,label\na,0.9,0.9,0.06,0.04\n"


def test_parquet_keeps_types_nulls_and_classes_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ROW_GROUP", 3)
    path = tmp_path / "answers.parquet"
    with written(Shape.parquet, path) as write:
        for _ in range(4):
            write(ANSWERS)
    assert pq.read_table(path).to_pylist() == ANSWERS * 4
    assert pq.ParquetFile(path).num_row_groups == 2
    with written(Shape.parquet, path) as write:
        write([{"value": 2.5}, {"value": None}])
    assert pq.read_table(path).to_pydict() == {"value": [2.5, None]}


@pytest.mark.parametrize("shape", list(Shape))
def test_a_file_is_whole_or_as_it_was(tmp_path: Path, shape: Shape) -> None:
    path = tmp_path / "answers"
    path.write_text("of yesterday")
    with pytest.raises(ZeroDivisionError), written(shape, path) as write:
        write(ANSWERS)
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers"]
    assert path.read_text() == "of yesterday"
    with written(shape, path) as write:
        write(ANSWERS)
    assert b"yesterday" not in path.read_bytes()


def test_the_shape_is_what_was_said_or_what_the_file_is_called() -> None:
    assert shape_of(None, None) is Shape.table
    assert shape_of(None, Path("a.b/answers.Parquet")) is Shape.parquet
    assert shape_of(None, Path("answers.txt")) is Shape.table
    assert shape_of(Shape.json, Path("answers.csv")) is Shape.json
    with pytest.raises(UsageError, match="-o parquet: expected --out FILE"):
        shape_of(Shape.parquet, None)
