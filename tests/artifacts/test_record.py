"""The run record: a pure function of fragments, whatever is missing, torn or interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ferryman.artifacts.fragment import End, Failure, Fragment
from ferryman.artifacts.record import TERMINAL, merge, read_record, write_record
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import UnavailableError

AT = "2026-11-24T12:00:00.000Z"


def fragment(step: str, state: Any = "done", **fields: Any) -> Fragment:
    return Fragment(step=step, run="r", state=state, started=AT, ended=None if state == "running" else AT, **fields)


def verdict(kind: str) -> Fragment:
    return fragment("gate", facts={"verdict": {"kind": kind}})


@pytest.mark.parametrize(("terminal", "outcome"), TERMINAL.items())
def test_the_end_of_the_release_is_the_outcome(terminal: str, outcome: str) -> None:
    record = merge("r", [verdict("promote"), fragment("rollout", facts={"terminal": terminal})], {}, None)
    assert record.outcome == outcome


@pytest.mark.parametrize(
    ("kind", "outcome", "exit_code"),
    [("hold", "held", 3), ("insufficient", "insufficient", 3), ("nothing_new", "nothing_new", 8)],
)
def test_a_run_that_the_gate_stopped_says_so(kind: str, outcome: str, exit_code: int) -> None:
    record = merge("r", [verdict(kind), fragment("hold")], {}, End(state="SUCCEEDED", at=AT))
    assert (record.outcome, record.exit_code) == (outcome, exit_code)


def test_a_failed_step_gives_its_reason_and_its_exit_code() -> None:
    failed = fragment("prepare", "failed", error=Failure(kind="DataError", text="line 3: bad", exit_code=4))
    record = merge("r", [fragment("resolve"), failed], {}, End(state="FAILED", at=AT))
    assert (record.outcome, record.exit_code, record.reason) == ("failed", 4, "prepare: line 3: bad")


def test_an_orchestrator_that_fails_without_a_failed_step_is_a_failure_with_its_reason() -> None:
    record = merge("r", [fragment("resolve")], {}, End(state="FAILED", reason="orchestrator: exit code 1", at=AT))
    assert (record.outcome, record.exit_code, record.reason) == ("failed", 5, "orchestrator: exit code 1")


def test_an_interrupted_run_took_until_it_was_interrupted() -> None:
    end = End(state="INTERRUPTED", reason="SIGINT", at="2026-11-24T12:00:41.500Z")
    record = merge("r", [fragment("resolve"), fragment("train", "running")], {}, end)
    assert (record.seconds, record.ended) == (41.5, end.at)
    assert merge("r", [fragment("resolve")], {}, None).seconds == 0.0


def test_an_interruption_is_not_a_failure_of_the_step_that_it_stopped() -> None:
    stopped = fragment("train", "failed", error=Failure(kind="KeyboardInterrupt", text="", exit_code=5))
    record = merge("r", [stopped], {}, End(state="INTERRUPTED", reason="SIGINT", at=AT))
    assert (record.outcome, record.exit_code) == ("interrupted", 130)


def test_a_release_that_ended_counts_even_when_the_run_was_interrupted_after() -> None:
    rollout = fragment("rollout", facts={"terminal": "Promoted"})
    assert merge("r", [rollout], {}, End(state="INTERRUPTED", at=AT)).outcome == "promoted"


def test_a_run_without_an_end_is_still_running() -> None:
    assert merge("r", [fragment("train", "running")], {"name": "mnist"}, None).outcome == "running"


def test_a_run_that_was_killed_is_told_from_one_that_is_at_work(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    run.write_fragment(fragment("train", "running"))
    assert read_record(run).outcome == "running", "nobody here knows of a run on a cluster whether it lives"
    (run.folder / "request.json").write_text('{"name": "mnist"}')
    with run.lock():
        assert read_record(run).outcome == "running"
    killed = read_record(run)
    assert (killed.outcome, killed.exit_code) == ("interrupted", 130)
    assert "killed" in killed.reason


def test_a_run_that_goes_on_is_not_shown_as_it_had_ended(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    run.write_end(End(state="INTERRUPTED", reason="Ctrl-C", at=AT))
    write_record(run)
    assert read_record(run).outcome == "interrupted"
    run.reopen()
    assert (run.end(), read_record(run).outcome) == (None, "running")


def test_what_an_earlier_attempt_said_does_not_decide_what_this_one_comes_to(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    failed = Failure(kind="StepError", text="the disk is full", exit_code=5)
    run.write_fragment(fragment("train", attempt=3))
    run.write_fragment(fragment("convert", "failed", error=failed))
    run.write_fragment(fragment("rollout", facts={"terminal": "RolledBack"}, attempt=2))
    assert write_record(run).outcome == "rolled_back"
    run.reopen()
    again = read_record(run)
    assert (again.outcome, [step.step for step in again.steps]) == ("running", ["train"])
    run.write_fragment(verdict("hold"))
    assert write_record(run).outcome == "held"
    rollout = run.fragment("rollout")
    assert rollout is not None
    assert (rollout.state, rollout.attempt) == ("stale", 2), "its attempts go on counting"


def test_a_release_that_was_promoted_stands_when_the_run_goes_on(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    run.write_fragment(fragment("rollout", facts={"terminal": "Promoted"}))
    run.reopen()
    assert read_record(run).outcome == "promoted"


def test_an_end_that_no_step_caused_has_its_own_exit_code() -> None:
    end = End(state="FAILED", reason="no group process can run", exit_code=7, at=AT)
    record = merge("r", [fragment("train")], {}, end)
    assert (record.outcome, record.exit_code, record.reason) == ("failed", 7, "no group process can run")


def test_runs_are_listed_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    for name, created in (("b-1", "2026-01-03"), ("a-1", "2026-01-04"), ("c-1", "2026-01-02")):
        folder = RunStore(tmp_path).run(name).folder
        folder.mkdir()
        (folder / "request.json").write_text(f'{{"created": "{created}"}}')
    assert [run.id for run in RunStore(tmp_path).runs()] == ["c-1", "b-1", "a-1"]


def test_a_run_is_at_work_only_once(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    with run.lock(), pytest.raises(UnavailableError, match=rf"at work already \(pid {os.getpid()}\)"), run.lock():
        pass


def test_facts_of_another_hand_do_not_keep_the_record_from_being_read() -> None:
    strange = [
        fragment("gate", facts={"verdict": "promote"}),
        fragment("rollout", facts={"terminal": ["Promoted"]}),
        fragment("resolve", facts={"overrides": "none"}),
    ]
    record = merge("r", strange, {}, None)
    assert (record.outcome, record.verdict, record.overrides) == ("running", None, {})


def test_a_torn_fragment_does_not_keep_the_record_from_being_written(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run("r")
    run.write_fragment(fragment("resolve"))
    (run.folder / "fragments" / "train.json").write_bytes(b'{"step": "tr\xff')
    assert [step.step for step in write_record(run).steps] == ["resolve"]
    assert read_record(run) == write_record(run)
