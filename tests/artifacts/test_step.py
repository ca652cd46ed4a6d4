"""The step wrapper: a fragment always, sealed outputs or none, and no metric that KFP cannot take."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.artifacts.manifest import verify
from ferryman.artifacts.run_store import RunStore
from ferryman.artifacts.step import step
from ferryman.errors import ArtifactError, DataError, StepError, UsageError


class Kept:
    """Takes metrics as KFP's `Metrics` does."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def log_metric(self, metric: str, value: float) -> None:
        self.metrics[metric] = value


def test_a_step_that_ends_well_leaves_sealed_outputs_and_a_fragment(tmp_path: Path) -> None:
    kept = Kept()
    with step("train", str(tmp_path / "runs"), "r1", "job") as run:
        folder = run.output(tmp_path / "model", kind="model")
        (folder / "weights").write_bytes(b"w")
        run.log_metrics(kept, {"accuracy": 0.5})
        run.headline = "half"
        running = RunStore(tmp_path / "runs").run("r1").fragment("train")
        assert running is not None
        assert running.state == "running"
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("train")
    assert fragment is not None
    assert (fragment.state, fragment.headline, fragment.metrics, fragment.attempt) == (
        "done",
        "half",
        {"accuracy": 0.5},
        1,
    )
    assert fragment.outputs == {"model": verify(tmp_path / "model", "model").digest}
    assert kept.metrics == {"accuracy": 0.5}


def test_a_step_that_fails_leaves_no_output_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError), step("prepare", str(tmp_path), "r1", "") as run:
        (run.output(tmp_path / "examples", kind="examples") / "half").write_text("x")
        raise DataError("received 'x', expected a number", line=3)
    fragment = RunStore(tmp_path).run("r1").fragment("prepare")
    assert fragment is not None
    assert fragment.state == "failed"
    assert fragment.error is not None
    assert (fragment.error.kind, fragment.error.exit_code) == ("DataError", 4)
    assert not (tmp_path / "examples").exists()


def test_a_retry_starts_from_an_empty_folder_and_counts_its_attempt(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale").write_text("x")
    for _ in range(2):
        with step("train", str(tmp_path), "r1", "") as run:
            assert list(run.output(tmp_path / "model", kind="model").iterdir()) == []
    fragment = RunStore(tmp_path).run("r1").fragment("train")
    assert fragment is not None
    assert fragment.attempt == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(StepError, match="metric loss is"), step("train", str(tmp_path), "r1", "") as run:
        run.log_metrics(Kept(), {"loss": value})


def test_an_altered_input_fails_the_step(tmp_path: Path) -> None:
    with step("prepare", str(tmp_path), "r1", "") as run:
        (run.output(tmp_path / "examples", kind="examples") / "rows").write_text("x")
    (tmp_path / "examples" / "rows").write_text("y")
    with pytest.raises(ArtifactError, match="rows"), step("train", str(tmp_path), "r1", "") as run:
        run.input(tmp_path / "examples", kind="examples")


def test_the_job_names_the_run_where_no_run_id_was_given(tmp_path: Path) -> None:
    with step("gate", str(tmp_path), "", "kfp-job-7"):
        pass
    assert RunStore(tmp_path).run("kfp-job-7").fragment("gate") is not None


@pytest.mark.parametrize("identity", ["", "{{$.pipeline_job_uuid}}", "../up", "a/b"])
def test_a_run_that_cannot_be_named_is_refused(tmp_path: Path, identity: str) -> None:
    with pytest.raises(UsageError), step("gate", str(tmp_path), "", identity):
        pass
