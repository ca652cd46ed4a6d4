from __future__ import annotations

import json
from pathlib import Path

import pytest

from ferryman.artifacts.fragment import End, Failure, Fragment
from ferryman.artifacts.record import RunRecord
from ferryman.artifacts.run_store import Run, RunStore
from ferryman.errors import UsageError
from ferryman.steps.record.record import write_record

HELD = {"verdict": {"kind": "hold", "reasons": []}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).run("r1")


def leave(run: Run, step: str, state: str = "done", **fields: object) -> None:
    document = {"step": step, "run": run.id, "state": state, "started": "2026-11-24T12:00:00.000Z", **fields}
    run.write_fragment(Fragment.model_validate(document))


def record_of(run: Run) -> RunRecord:
    return RunRecord.read(run.folder / "record.json")


def test_the_record_says_what_the_gate_decided_where_the_orchestrator_says_succeeded(run: Run, tmp_path: Path) -> None:
    leave(run, "resolve", facts={"name": "mnist", "spec_sha256": "a" * 64})
    leave(run, "gate", facts=HELD)
    write_record(str(tmp_path), "r1", "job-9", "SUCCEEDED")
    record = record_of(run)
    assert (record.name, record.outcome, record.exit_code) == ("mnist", "held", 3)


def test_a_failed_step_gives_the_run_its_reason_and_exit_code(run: Run, tmp_path: Path) -> None:
    error = Failure(kind="DataError", text="mnist.csv, line 7: received 'x', expected a number", exit_code=4)
    leave(run, "prepare", "failed", error=error)
    write_record(str(tmp_path), "r1", "", "FAILED")
    record = record_of(run)
    assert (record.outcome, record.exit_code) == ("failed", 4)
    assert record.reason == "prepare: mnist.csv, line 7: received 'x', expected a number"


def test_the_job_names_the_run_where_no_run_id_was_given(tmp_path: Path) -> None:
    write_record(str(tmp_path), "", "job-9", "FAILED")
    assert record_of(RunStore(tmp_path).run("job-9")).outcome == "failed"


def test_a_run_without_any_fragment_still_gets_a_record(run: Run, tmp_path: Path) -> None:
    write_record(str(tmp_path), "r1", "", "FAILED")
    record = record_of(run)
    assert (record.outcome, record.steps) == ("failed", [])
    assert "FAILED" in record.reason


@pytest.mark.parametrize(
    "torn", [b"", b'{"step": "train", "sta', b"\xff\xfe\x00binary", b"[1, 2]", b'{"step": "train"}']
)
def test_a_torn_fragment_is_left_out_and_the_others_are_kept(run: Run, tmp_path: Path, torn: bytes) -> None:
    leave(run, "gate", facts=HELD)
    (run.folder / "fragments" / "train.json").write_bytes(torn)
    write_record(str(tmp_path), "r1", "", "SUCCEEDED")
    record = record_of(run)
    assert [step.step for step in record.steps] == ["gate"]
    assert record.outcome == "held"


@pytest.mark.parametrize("facts", [{"verdict": "promote"}, {"verdict": ["hold"]}, {"verdict": 7}])
def test_facts_of_an_unknown_form_do_not_cost_the_record(run: Run, tmp_path: Path, facts: dict[str, object]) -> None:
    leave(run, "gate", facts=facts)
    leave(run, "train", "failed", error=Failure(kind="StepError", text="out of memory", exit_code=5))
    write_record(str(tmp_path), "r1", "", "FAILED")
    record = record_of(run)
    assert record.reason == "train: out of memory"
    assert [step.step for step in record.steps] == ["train", "gate"]


def test_torn_overrides_in_the_request_do_not_cost_the_record(run: Run, tmp_path: Path) -> None:
    run.folder.mkdir(parents=True)
    (run.folder / "request.json").write_text(json.dumps({"name": "mnist", "overrides": [3, 4]}))
    write_record(str(tmp_path), "r1", "", "FAILED")
    assert record_of(run).outcome == "failed"


def test_an_interrupted_run_stays_interrupted_when_the_orchestrator_calls_it_failed(run: Run, tmp_path: Path) -> None:
    run.write_end(End(state="INTERRUPTED", reason="Ctrl-C", at="2026-11-24T12:00:01.000Z"))
    write_record(str(tmp_path), "r1", "", "FAILED")
    record = record_of(run)
    assert (record.outcome, record.exit_code, record.reason) == ("interrupted", 130, "Ctrl-C")


def test_a_later_end_replaces_an_earlier_one_that_only_an_orchestrator_saw(run: Run, tmp_path: Path) -> None:
    run.write_end(End(state="SUCCEEDED", at="2026-11-24T12:00:01.000Z"))
    write_record(str(tmp_path), "r1", "", "Failed")
    end = run.end()
    assert end is not None
    assert end.state == "FAILED"


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("SUCCEEDED", "SUCCEEDED"),
        ("Succeeded", "SUCCEEDED"),
        ("SUCCESS", "SUCCEEDED"),
        ("CANCELED", "CANCELLED"),
        ("ERROR", "FAILED"),
    ],
)
def test_every_orchestrators_word_for_the_end_is_understood(run: Run, tmp_path: Path, said: str, known: str) -> None:
    write_record(str(tmp_path), "r1", "", said)
    end = run.end()
    assert end is not None
    assert end.state == known


def test_writing_the_record_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    leave(run, "gate", facts=HELD)
    write_record(str(tmp_path), "r1", "", "SUCCEEDED")
    first = (run.folder / "record.json").read_bytes()
    write_record(str(tmp_path), "r1", "", "SUCCEEDED")
    assert (run.folder / "record.json").read_bytes() == first


def test_a_run_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_record(str(tmp_path), "", "", "SUCCEEDED")
    assert list(tmp_path.iterdir()) == []
