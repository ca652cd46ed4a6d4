"""`ferryman runs`: which runs are listed, and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_run import FinishedRun, write_spec
from typer.testing import CliRunner

from ferryman_pipelines.cli.main import app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of birds and fish by turns, their ids against their times."""
    monkeypatch.setenv("FERRYMAN_HOME", str(tmp_path / "home"))
    specs = [write_spec(tmp_path), write_spec(tmp_path, "fish.yaml", name="fish")]
    for number in range(4):
        run = FinishedRun(tmp_path / "home", f"r{9 - number}", specs[number % 2])
        run.created = f"2026-11-2{number}T08:00:00.000Z"
        run.write()


def listed(*options: str) -> list[str]:
    said = CliRunner().invoke(app, ["runs", "-o", "json", *options])
    assert said.exit_code == 0, said.stderr
    return [record["run"] for record in json.loads(said.stdout)]


def test_runs_are_listed_oldest_first_those_of_a_model_and_the_newest_of_them() -> None:
    assert listed() == ["r9", "r8", "r7", "r6"]
    assert listed("--model", "birds") == ["r9", "r7"]
    assert listed("--limit", "3") == ["r8", "r7", "r6"]
    assert listed("--model", "birds", "--limit", "1") == ["r7"]
    assert listed("--model", "bird") == []


def test_a_listed_run_has_the_same_fields_each_time() -> None:
    said = CliRunner().invoke(app, ["runs", "-o", "json"])
    fields = {"schema_version", "run", "name", "outcome", "exit_code", "reason", "started", "ended", "spec_sha256"}
    fields |= {"resolved_sha256", "overrides", "release", "promotions"}
    assert all(record.keys() == fields for record in json.loads(said.stdout))


def test_a_model_without_runs_and_a_selection_of_one_run_are_told() -> None:
    assert "no runs of the model 'bird'" in CliRunner().invoke(app, ["runs", "--model", "bird"]).stderr
    said = CliRunner().invoke(app, ["runs", "--limit", "2", "show", "r6"])
    assert (said.exit_code, "--model and --limit select runs to list" in said.stderr) == (2, True)
