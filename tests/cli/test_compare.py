"""`ferryman runs compare`: two runs of one model side by side, never swapped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from finished_run import FinishedRun, write_spec
from typer.testing import CliRunner

from ferryman_pipelines.cli.main import app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FERRYMAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def wrote(home: Path, run_id: str, **numbers: Any) -> FinishedRun:
    run = FinishedRun(home, run_id, numbers.pop("spec", None) or write_spec(home.parent), **numbers)
    run.write()
    return run


def compared(*arguments: str) -> dict[str, Any]:
    said = CliRunner().invoke(app, ["runs", "compare", *arguments, "-o", "json"])
    assert said.exit_code == 0, said.stderr
    return json.loads(said.stdout)


def test_what_differs_is_told_of_each_side(home: Path) -> None:
    wrote(home, "r1", accuracy=0.8, created="2026-11-25T08:00:00.000Z")
    wrote(home, "r2", accuracy=0.7, overrides={"train.seed": 3}, verdict="hold", created="2026-11-25T08:00:30.000Z")
    found = compared("r1", "last")
    assert found["runs"] == {"a": "r1", "b": "r2"}
    assert found["spec"] == {"train.seed": {"a": 0, "b": 3}}
    assert found["same_test_rows"] is True
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["a"] == pytest.approx({"value": 0.8, "low": 0.77, "high": 0.82})
    assert accuracy["b"] == pytest.approx({"value": 0.7, "low": 0.67, "high": 0.72})
    assert found["verdict"] == {"kind": {"a": "promote", "b": "hold"}, "accuracy": {"a": "ok", "b": "HOLD"}}
    assert found["conversion"]["float32 size"] == {"a": 885_000, "b": 885_000}
    assert found["seconds"]["whole run"] == {"a": 59.5, "b": 29.5}
    assert list(found["seconds"])[:3] == ["resolve", "prepare", "train"]


def test_the_text_holds_both_sides_in_their_columns_with_their_units(home: Path) -> None:
    wrote(home, "r1", accuracy=0.8)
    wrote(home, "r2", accuracy=0.7, overrides={"train.epochs": 5}, lost={"int8": 0.25, "float32": 0.001})
    said = CliRunner().invoke(app, ["runs", "compare", "r1", "r2"])
    lines = [line.split("  ") for line in said.stdout.splitlines()]
    cells = {parts[1]: [part.strip() for part in parts[2:] if part.strip()] for parts in lines if len(parts) > 2}
    assert cells["train.epochs"] == ["20", "5"]
    assert cells["accuracy"][:2] in (["0.8 (0.77 to 0.82)", "0.7 (0.67 to 0.72)"], ["ok", "ok"])
    assert "0.8 (0.77 to 0.82)" in said.stdout
    assert cells["chosen"] == ["int8", "float32"]
    assert cells["int8 size"] == ["230 kB", "230 kB"]
    assert cells["p99"] == ["1.90 ms", "1.90 ms"]
    assert cells["train"] == ["20.2 s", "20.2 s"]
    assert "the same test rows" in said.stdout


def test_other_test_rows_are_told_before_the_metrics(home: Path) -> None:
    wrote(home, "r1")
    wrote(home, "r2", split_rule="r2")
    assert compared("r1", "r2")["same_test_rows"] is False
    said = CliRunner().invoke(app, ["runs", "compare", "r1", "r2"]).stdout
    assert said.index("other test rows") < said.index("metrics")


def test_a_run_that_failed_early_is_compared_as_far_as_it_came(home: Path) -> None:
    wrote(home, "r1")
    other = wrote(home, "r2")
    for step in ("evaluate", "convert", "serving_check", "gate"):
        (other.run.folder / "fragments" / f"{step}.json").unlink()
    (other.run.folder / "record.json").unlink()
    found = compared("r1", "r2")
    assert found["metrics"]["accuracy"]["b"] is None
    assert found["seconds"]["gate"] == {"a": 0.0, "b": None}
    assert "  gate  " in CliRunner().invoke(app, ["runs", "compare", "r1", "r2"]).stdout


def test_runs_of_different_models_are_refused(home: Path) -> None:
    wrote(home, "r1")
    wrote(home, "r2", spec=write_spec(home.parent, "fish.yaml", name="fish"))
    said = CliRunner().invoke(app, ["runs", "compare", "r1", "r2"])
    assert said.exit_code == 2
    assert "r1 is a run of the model birds, r2 one of fish" in said.stderr


def test_evidence_that_was_removed_leaves_what_the_record_knows(home: Path) -> None:
    wrote(home, "r1", accuracy=0.8)
    other = wrote(home, "r2", accuracy=0.7)
    shutil.rmtree(other.run.folder / "artifacts")
    accuracy = compared("r1", "r2")["metrics"]["accuracy"]
    assert (accuracy["a"]["value"], accuracy["b"]) == (0.8, {"value": 0.7, "low": None, "high": None})
