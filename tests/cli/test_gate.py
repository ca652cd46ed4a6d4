"""`ferryman gate`: the same evidence under other bounds; nothing is run, and nothing is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from finished_run import FinishedRun, write_spec
from typer.testing import CliRunner, Result

from ferryman_pipelines.cli.main import app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """A run whose candidate has an accuracy of 0.8, which its gate asked 0.75 of."""
    monkeypatch.setenv("FERRYMAN_HOME", str(tmp_path / "home"))
    run = FinishedRun(tmp_path / "home", "birds-1", write_spec(tmp_path), accuracy=0.8)
    run.write()
    return run


def decides(spec: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["gate", "last", "--spec", str(spec), *arguments])


def everything(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def test_the_verdict_is_printed_as_a_runs_own_with_its_exit_code_and_nothing_is_written(
    run: FinishedRun, tmp_path: Path
) -> None:
    same = decides(run.spec)
    assert same.exit_code == 0, same.stderr
    assert "promote (its own gate said: promote)" in same.stdout
    stricter = write_spec(tmp_path, "stricter.yaml", "{require: [{metric: accuracy, at_least: 0.85}]}")
    before = everything(tmp_path)
    said = decides(stricter)
    assert said.exit_code == 3
    assert "run birds-1 under the bounds of " in said.stdout
    assert "stricter.yaml: hold (its own gate said: promote)" in said.stdout
    assert "  HOLD  accuracy 0.8 (95 % 0.77 to 0.82), required at least 0.85" in said.stdout
    document = json.loads(decides(stricter, "-o", "json").stdout)
    assert (document["before"], document["verdict"]["kind"]) == ("promote", "hold")
    assert everything(tmp_path) == before


def test_a_model_that_serves_already_is_nothing_new_under_any_bounds(run: FinishedRun, tmp_path: Path) -> None:
    serves = {"model": "birds", "version": 3, "digest": "d", "content": "content of birds-2", "epoch": 1}
    again = FinishedRun(run.home, "birds-2", run.spec, serves={**serves, "generation": 1, "path": "/p"})
    again.created = "2026-11-25T09:00:00.000Z"
    again.write()
    assert decides(run.spec).exit_code == 8


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("epochs: 20", "train.epochs: the run had 20, "),
        ("hidden: [4]", "model.hidden.0: the run had 4, "),
        ("{kind: number}", "data.features.mass.missing: the run had 'refuse', "),
        ("name: birds", "name: the run had 'birds', "),
    ],
)
def test_evidence_of_another_model_is_refused_with_the_fields(
    run: FinishedRun, tmp_path: Path, change: str, field: str
) -> None:
    others = {"epochs: 20": "epochs: 3", "hidden: [4]": "hidden: [5]", "name: birds": "name: fish"}
    others["{kind: number}"] = "{kind: number, missing: mean}"
    other = tmp_path / "other.yaml"
    other.write_text(run.spec.read_text().replace(change, others[change]))
    said = decides(other)
    assert (said.exit_code, field in said.stderr) == (2, True), said.stderr


def test_other_data_of_the_same_name_are_refused_and_the_same_data_under_another_name_are_not(
    run: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / "copy.csv").write_bytes((tmp_path / "rows.csv").read_bytes())
    copied = tmp_path / "copied.yaml"
    copied.write_text(run.spec.read_text().replace("rows.csv", "copy.csv"))
    assert decides(copied).exit_code == 0
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("1,a\n")
    said = decides(run.spec)
    assert (said.exit_code, "data.source.sha256: the run had " in said.stderr) == (2, True), said.stderr


def test_a_bound_on_what_was_not_measured_is_refused(run: FinishedRun, tmp_path: Path) -> None:
    new = write_spec(tmp_path, "new.yaml", "{require: [{metric: macro_f1, at_least: 0.5}]}")
    said = decides(new)
    assert said.exit_code == 2
    assert "gate.require.0.metric: macro_f1 was not measured; measured were accuracy, log_loss" in said.stderr


def test_altered_evidence_decides_nothing(run: FinishedRun) -> None:
    path = run.run.folder / "artifacts" / "birds-2026" / "evaluate" / "evaluation" / "evaluation.json"
    path.write_text(path.read_text().replace("0.8", "0.9"))
    said = decides(run.spec)
    assert (said.exit_code, "evaluation.json is not what its manifest says" in said.stderr) == (5, True), said.stderr


def test_a_run_that_never_came_to_the_evidence_says_so(run: FinishedRun) -> None:
    (run.run.folder / "fragments" / "convert.json").unlink()
    said = decides(run.spec)
    assert (said.exit_code, "run birds-1 has made no conversion" in said.stderr) == (5, True), said.stderr
