"""Rows for a model mean what they meant in its raw data."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import DataError
from ferryman_pipelines.cli import predict
from ferryman_pipelines.cli.asking import RawRows, raw_batches
from ferryman_pipelines.cli.main import app
from ferryman_pipelines.cli.predict import Tally


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
    return {name: np.asarray(tensor).tolist() for name, tensor in batch.tensors.items()}


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


def rows(*places: int) -> RawRows:
    return RawRows("birds.csv", "line", list(places), {})


def test_a_row_without_an_answer_is_counted_and_the_first_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(quiet=False)
    tally.count(rows(2, 3), [{"value": 1.0}, {"value": 2.0}])
    tally.count(rows(4, 6, 7), [{"value": 1.0}, {"value": None}, {"value": None}])
    tally.tell(None)
    said = capsys.readouterr().err
    assert said.startswith("2 of 5 rows have no answer, the first in line 6: ")


@pytest.mark.parametrize(("quiet", "said"), [(False, "2 rows answered, "), (True, "")])
def test_it_says_how_far_it_is_when_that_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quiet: bool, said: str
) -> None:
    monkeypatch.setattr(predict, "PATIENCE", 0.0)
    Tally(quiet=quiet).count(rows(2, 3), [{"value": 1.0}, {"value": 2.0}])
    assert capsys.readouterr().err.startswith(said)
    assert not (quiet and capsys.readouterr().err)


def test_what_the_server_refuses_is_named_by_its_lines() -> None:
    assert str(rows(2, 5, 1300).error("no")) == "birds.csv, lines 2 to 1,300: no"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.csv", "b.csv"], "received 2 files (a.csv, b.csv), expected one"),
        (["a.csv", "-o", "parquet"], "-o parquet: expected --out FILE"),
        (["a.csv", "--out", "a.csv"], "--out a.csv: these are the rows themselves"),
        (["a.csv", "--out", "./same.csv"], "these are the rows themselves"),
        (["a.csv", "--out", "."], "received a folder or a device"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a,c\n1,2\n")
    (tmp_path / "same.csv").symlink_to("a.csv")
    said = CliRunner().invoke(app, ["predict", "m", *arguments])
    assert (said.exit_code, words in said.stderr) == (2, True), said.stderr
    assert (tmp_path / "a.csv").read_text() == "a,c\n1,2\n"
