"""The step `serving_check`: a server of its own answers the golden set; what is wrong is a report that says so."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_artifact import NAME, flip_a_byte, probabilities, resolved_run, save_sorter, seal_model, sorter_golden
from newcomer import strangers

from ferryman.artifacts.evidence import AnswerCheck, ServingCheck
from ferryman.artifacts.manifest import digest_of, verify
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError, StepError, UnavailableError
from ferryman.steps.serving_check.check import check_serving

SUPPORT = Path(__file__).resolve().parents[2] / "support"

Checked = tuple[ServingCheck, Path]


def check(model: Path, place: Path, **gate: Any) -> Checked:
    """Run the step; its report and its artifact."""
    out = place / "check"
    check_serving(resolved_run(**gate).text(), str(place / "runs"), "r1", "", str(model), str(out))
    return ServingCheck.read(out / "serving_check.json"), out


def fragment(place: Path) -> Any:
    return RunStore(str(place / "runs")).run("r1").fragment("serving_check")


def by_protocol(report: ServingCheck) -> dict[str, AnswerCheck]:
    return {answer.protocol: answer for answer in report.answers}


def script(folder: Path, text: str) -> Path:
    """A program that is found as TensorFlow Serving's own."""
    folder.mkdir()
    path = folder / "tensorflow_model_server"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_MODEL_SERVER", "embedded")


@pytest.fixture(scope="module")
def sorters(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Sealed artifacts of the sorter with the right golden set, whatever its SavedModel answers."""

    def build(**changes: Any) -> Path:
        folder = tmp_path_factory.mktemp("sorter")
        return seal_model(folder / "model", save_sorter(folder / "saved", **changes))

    return build


@pytest.fixture(scope="module")
def right(sorters: Callable[..., Path]) -> Path:
    return sorters()


def test_a_server_that_answers_as_recorded_is_reported_ok_with_latency_memory_and_the_models_digest(
    right: Path, tmp_path: Path
) -> None:
    report, out = check(right, tmp_path)
    assert report.failure == ""
    assert [answer.protocol for answer in report.answers] == ["grpc", "rest"]
    assert all(answer.ok and answer.reason == "" and answer.rows == 5 for answer in report.answers), report.answers
    assert all(answer.largest_absolute < 1e-6 and answer.labels_changed == 0 for answer in report.answers)
    assert report.p50 is not None
    assert report.p99 is not None
    assert 0.0 < report.p50 <= report.p99 < 5.0
    assert report.memory_bytes is not None
    # TensorFlow was in that process: peak memory is the server's, not ours.
    assert 100e6 < report.memory_bytes < 8e9
    assert report.load_seconds is not None
    assert 0.0 < report.load_seconds < 120.0
    assert report.model == digest_of(right)
    assert report.stand_in
    assert report.server.startswith("ferryman-model-server ")
    assert (report.absolute, report.relative) == (1e-5, 1e-4)
    assert "Running gRPC ModelServer at 127.0.0.1:" in (out / "server.log").read_text()
    done = fragment(tmp_path)
    assert (done.state, done.inputs) == ("done", {"model": digest_of(right)})
    assert done.outputs == {"serving_check": verify(out, "serving_check").digest}
    assert strangers(tmp_path) == []


def test_probabilities_and_classes_swapped_at_the_server_give_a_report_with_the_largest_difference_and_no_exception(
    sorters: Callable[..., Path], tmp_path: Path
) -> None:
    model = sorters(columns=(1, 0, 2), names=("bell", "aster", "ö"))
    report, out = check(model, tmp_path, served={"absolute": 0.2, "relative": 0.0})
    wanted = probabilities()
    apart = np.abs(wanted - wanted[:, [1, 0, 2]])
    far = int((apart > 0.2).sum())
    assert 0 < far < 10, "the spec's tolerance must count"
    changed = int((wanted.argmax(axis=1) != 2).sum())
    assert 0 < changed < 5
    for protocol, answer in by_protocol(report).items():
        assert not answer.ok, protocol
        assert answer.largest_absolute == pytest.approx(float(apart.max()), abs=1e-5), protocol
        assert answer.labels_changed == changed, protocol
        assert f"probabilities: {far} of 15 numbers are too far" in answer.reason
        row = int(apart.max(axis=1).argmax())
        assert f"the worst in row {row}: received " in answer.reason
        assert (
            f"class: {changed} of 5 texts changed, the first at 1: received 'aster', expected 'bell'" in answer.reason
        )
    assert report.failure == ""
    assert (report.absolute, report.relative) == (0.2, 0.0)
    assert report.p50 is None
    assert report.p99 is None
    done = fragment(tmp_path)
    assert done.state == "done"
    assert "swapped" not in done.headline
    assert "grpc" in done.headline
    assert verify(out, "serving_check").kind == "serving_check"
    assert strangers(tmp_path) == []


def test_a_model_that_the_server_cannot_load_is_a_report_with_the_servers_words(right: Path, tmp_path: Path) -> None:
    files = {"saved_model.pb": b"no graph at all", "variables/variables.index": b""}
    report, _ = check(seal_model(tmp_path / "model", files), tmp_path)
    assert "saved_model" in report.failure.lower() or "parse" in report.failure.lower(), report.failure
    assert report.answers == []
    assert (report.p50, report.p99) == (None, None)
    assert report.load_seconds is not None
    assert fragment(tmp_path).state == "done"


@pytest.mark.parametrize("file", ["answers/1.npy", "raw/0.npy", "rows.jsonl"])
def test_a_golden_set_with_a_flipped_byte_is_refused_by_its_digest_before_any_server_starts(
    file: str, tmp_path: Path
) -> None:
    model = seal_model(tmp_path / "model")
    flip_a_byte(model / "golden" / file, -1)
    with pytest.raises(ArtifactError, match=f"golden/{file} is not what its manifest says"):
        check(model, tmp_path)
    assert not (tmp_path / "check").exists()
    assert not list(tmp_path.rglob("server.log"))
    assert fragment(tmp_path).error.kind == "ArtifactError"


def test_a_server_that_ends_before_it_listens_is_an_infrastructure_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = 'case "$1" in --version) echo "TensorFlow ModelServer: 9.8.7"; exit;; esac\necho starting\necho "no GPU" >&2; exit 3'
    monkeypatch.setenv("PATH", f"{script(tmp_path / 'bin', words)}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("FERRYMAN_MODEL_SERVER")
    with pytest.raises(
        StepError, match=r"^tensorflow_model_server 9\.8\.7 ended before it listened: no GPU$"
    ) as caught:
        check(seal_model(tmp_path / "model"), tmp_path)
    assert not isinstance(caught.value, ArtifactError)
    assert caught.value.exit_code == 5
    assert not (tmp_path / "check").exists()
    failed = fragment(tmp_path)
    assert (failed.state, failed.error.kind) == ("failed", "StepError")


def test_the_real_server_that_was_asked_for_and_is_not_there_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERRYMAN_MODEL_SERVER", "real")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="no tensorflow_model_server on the PATH"):
        check(seal_model(tmp_path / "model"), tmp_path)
    assert fragment(tmp_path).error.exit_code == 7


@pytest.mark.parametrize("late", [False, True])
def test_a_server_that_dies_of_the_model_is_a_bad_report_with_its_last_words(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if late:
        monkeypatch.setenv("DIES_LATE", "1")
    program = shlex.join([sys.executable, f"{SUPPORT}/dying_server.py"])
    words = f'case "$1" in --version) echo "dying 1.2"; exit;; esac\nexec {program} "$@"'
    monkeypatch.setenv("PATH", f"{script(tmp_path / 'bin', words)}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("FERRYMAN_MODEL_SERVER")
    report, _ = check(seal_model(tmp_path / "model"), tmp_path)
    assert report.failure == f"the server ended: cannot allocate {NAME}"
    assert not report.stand_in
    assert report.server == "tensorflow_model_server 1.2"
    assert report.answers == []


def test_an_output_that_was_recorded_and_is_not_served_is_a_bad_report(right: Path, tmp_path: Path) -> None:
    golden = sorter_golden()
    golden.answers["margin"] = np.zeros(5, np.float32)
    model = seal_model(tmp_path / "model", right / "saved_model", golden)
    report, out = check(model, tmp_path)
    answers = by_protocol(report)
    assert "received the outputs class, probabilities, expected class, margin, probabilities" in answers["grpc"].reason
    assert "no answer: 'margin'" in answers["rest"].reason
    # Not a number, and the document can still be read by anybody.
    written = json.loads((out / "serving_check.json").read_text())
    assert written["answers"][1]["largest_absolute"] == "NaN"
