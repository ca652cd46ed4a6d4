"""The local runner on a small pipeline, warm and fresh: a failure fails with its real reason; what is finished stands."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stub_pipeline
from newcomer import eventually, strangers
from spawned import SUPPORT, environment, forking

from ferryman.artifacts.fragment import Fragment
from ferryman.artifacts.record import RunRecord, read_record
from ferryman.artifacts.run_store import Run
from ferryman.process import Finished, Process, spawn

PRELOAD = ("_KFP_RUNTIME=true", "kfp.dsl.executor", "ferryman.spec", "ferryman.artifacts.step")
"""What these steps need; no TensorFlow."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stub") / "stub.yaml"
    stub_pipeline.compile_stub(path)
    return path


@pytest.fixture(scope="module", autouse=True, params=["warm", pytest.param("fresh", marks=pytest.mark.slow)])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """How the steps of a run are started, with a folder of their own for temporary files; fresh ones are slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        if request.param == "fresh":
            yield "fresh"
            return
        with forking(tmp_path_factory.mktemp("fork-server") / "server.log", *PRELOAD):
            yield "warm"


def start(run: Path, compiled: Path, text: str = "x", fault: str = "", *limit: str) -> Process:
    told = run / "text"
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text(text, encoding="utf-8")
    with environment():
        return spawn(
            [sys.executable, stub_pipeline.__file__, str(run), str(compiled), str(told), fault, *limit],
            log=run / "logs" / "orchestrator.log",
            env=SUPPORT,
        )


def finish(run: Path, compiled: Path, text: str = "x", fault: str = "", *limit: str) -> Finished:
    return start(run, compiled, text, fault, *limit).wait(60)


def step(run: Path, name: str) -> Fragment:
    fragment = Run(run, run.name).fragment(name)
    assert fragment is not None
    return fragment


def record(run: Path) -> RunRecord:
    assert (run / "record.json").is_file()
    return read_record(Run(run, run.name))


def test_a_good_run_succeeds_and_leaves_its_record(tmp_path: Path, compiled: Path, way: str) -> None:
    run = tmp_path / "r1"
    assert finish(run, compiled).ok, (run / "logs/orchestrator.log").read_text()
    assert [found.state for found in record(run).steps if found.step in {"first", "second"}] == ["done", "done"]
    told = "".join(path.read_text() for path in (run / "logs").glob("*.log"))
    # Not only that it was not tried: every step's log would say why it was not.
    assert ("FERRYMAN_FORK_SERVER" in os.environ, "started fresh" in told) == (way == "warm", False)


@pytest.mark.parametrize(
    ("fault", "kind", "words", "code"),
    [
        ("raise", "ValueError", "the real reason", 5),
        ("data", "DataError", "line 3: received 'x', expected a number", 4),
        ("kill", "StepError", "SIGKILL", 5),
        ("exit", "StepError", "exit code 17", 5),
        ("nan", "StepError", "metric length is nan", 5),
    ],
)
def test_a_failed_step_fails_the_run_with_its_real_reason(
    tmp_path: Path, compiled: Path, fault: str, kind: str, words: str, code: int
) -> None:
    run = tmp_path / "r1"
    assert not finish(run, compiled, "x", fault).ok
    error = step(run, "second").error
    assert error is not None
    assert (error.kind, words in error.text, error.exit_code) == (kind, True, code), error
    assert "\n" not in error.text
    found = record(run)
    assert (found.outcome, found.exit_code) == ("failed", code)
    assert words in found.reason


def test_a_failed_step_gives_its_reason_twenty_times_out_of_twenty(tmp_path: Path, compiled: Path) -> None:
    reasons = []
    runs = [tmp_path / f"r{number}" for number in range(20)]
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        for process in [start(first, compiled, "x", "raise"), start(second, compiled, "x", "raise")]:
            assert not process.wait(60).ok
        reasons += [record(first).reason, record(second).reason]
    assert reasons == ["second: ValueError: the real reason"] * 20


def test_a_step_that_takes_too_long_is_stopped_and_says_so(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    assert not finish(run, compiled, "x", "wait", "3").ok
    assert "limit" in record(run).reason


def test_bytes_that_are_no_text_do_no_harm_and_leave_a_record(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    assert finish(run, compiled, "x", "bytes").ok
    assert b"\xff\xfe" in (run / "logs/second.log").read_bytes()
    assert {found.step: found.state for found in record(run).steps} == {"first": "done", "second": "done"}


def test_a_failed_step_that_said_bytes_last_leaves_a_record_of_one_line(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    assert not finish(run, compiled, "x", "bytes-exit").ok
    found = record(run)
    assert found.outcome == "failed"
    assert re.fullmatch(r"second: exit code 17; \S+ not text", found.reason), found.reason


def test_a_child_that_a_step_leaves_behind_ends_with_it(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    assert finish(run, compiled, "x", "child").ok
    assert eventually(lambda: not strangers(tmp_path), 5)


def test_data_and_paths_pass_untouched(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "a python3 b & ü" / "r1"
    text = "python3 {{x}} $(touch nowhere) 'quoted' \"ü\"\n" + "y" * 200_000
    assert finish(run, compiled, text).ok, (run / "logs/orchestrator.log").read_text()[-2000:]
    (made,) = (path for path in run.glob("artifacts/**/text"))
    assert made.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("fault", ["raise", "kill"])
def test_a_resumed_run_does_not_repeat_what_is_finished(tmp_path: Path, compiled: Path, fault: str) -> None:
    run = tmp_path / "r1"
    assert not finish(run, compiled, "x", fault).ok
    assert finish(run, compiled, "x", "").ok
    assert (step(run, "first").attempt, step(run, "first").reused) == (1, True)
    assert step(run, "second").attempt == 2
    assert finish(run, compiled, "x", "").ok
    assert step(run, "second").attempt == 2


def test_a_resumed_run_repeats_what_was_altered_or_asked_otherwise(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    assert finish(run, compiled, "x").ok
    assert finish(run, compiled, "another").ok
    assert step(run, "first").attempt == 2
    newest = max(run.glob("artifacts/**/text"), key=lambda path: path.stat().st_mtime)
    newest.write_text("altered")
    assert finish(run, compiled, "another").ok
    assert step(run, "first").attempt == 3


def test_killing_the_orchestrator_kills_its_steps_and_leaves_nothing_behind(tmp_path: Path, compiled: Path) -> None:
    run, temporary = tmp_path / "r1", set(os.listdir(os.environ["TMPDIR"]))
    process = start(run, compiled, "x", "wait")
    eventually(lambda: Run(run, "r1").fragment("second"), 30)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert eventually(lambda: not strangers(tmp_path), 10)
    assert set(os.listdir(os.environ["TMPDIR"])) == temporary
    assert finish(run, compiled, "x").ok
    assert step(run, "first").reused


def test_a_step_that_is_lost_with_its_fork_server_is_done_again_fresh(tmp_path: Path, compiled: Path) -> None:
    run = tmp_path / "r1"
    with forking(tmp_path / "server.log", *PRELOAD) as server:
        process = start(run, compiled, "x", "linger")
        eventually(lambda: step(run, "second").state == "running", 60)
        assert "started fresh" not in (run / "logs/second.log").read_text()
        os.kill(server.pid, signal.SIGKILL)
        assert process.wait(60).ok, (run / "logs/orchestrator.log").read_text()
    assert [(step(run, name).state, step(run, name).attempt) for name in ("first", "second")] == [
        ("done", 1),
        ("done", 2),
    ]
    assert (
        "second: the fork server that it came from ended, and it with it; started again"
        in (run / "logs/orchestrator.log").read_text()
    )
    assert "started fresh" in (run / "logs/second.log").read_text()


@pytest.mark.slow
def test_fifty_runs_leave_no_process_file_or_descriptor_behind(tmp_path: Path, compiled: Path, way: str) -> None:
    def left() -> tuple[set[str], set[str]]:
        return set(os.listdir("/proc/self/fd")), set(os.listdir(os.environ["TMPDIR"]))

    finish(tmp_path / "r0", compiled)
    before = left()
    for number in range(1, 51):
        run = tmp_path / f"r{number}"
        fault = ("", "raise", "kill", "child")[number % 4]
        assert finish(run, compiled, "x", fault).ok == (fault in {"", "child"}), (
            run / "logs/orchestrator.log"
        ).read_text()
        assert not [path for path in run.rglob("*") if path.name.endswith((".partial", ".tmp"))]
    assert eventually(lambda: not strangers(tmp_path), 10)
    assert left() == before
