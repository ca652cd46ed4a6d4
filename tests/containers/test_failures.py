"""The runner of containers on a small pipeline: a failure fails with its real reason, and no container outlives a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import contained
import pytest
from newcomer import eventually, family, strangers

from ferryman.artifacts.record import RunRecord, read_record
from ferryman.artifacts.run_store import Run
from ferryman.spec.units import BYTES
from ferryman_pipelines.cli.live.memory import family as family_size
from ferryman_pipelines.cli.live.memory import processes
from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import read_lock
from ferryman_pipelines.runners.main_process import MainProcess
from ferryman_pipelines.runners.sweeping import ROOT

pytestmark = pytest.mark.docker

MEMORY = 256 * BYTES["Mi"]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stub") / "stub.yaml"
    contained.compile_contained(path)
    return path


@pytest.fixture(scope="session")
def image(lock: Path) -> str:
    return read_lock(lock).built["control"].id


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """A run root with a path as awkward as a user's may be; nothing of it may be at work in the end."""
    root = tmp_path / "größe, a:b"
    yield root
    assert eventually(lambda: not containers(root) and not strangers(root), 20)


def containers(root: Path) -> list[str]:
    """The names of all containers of runs below a root, whatever state they are in."""
    return ask("ps", "--all", "--filter", f"label={ROOT}={root}", "--format", "{{.Names}}").split()


def command(run: Path, compiled: Path, image: str, fault: str, *limit: str) -> list[str]:
    return [sys.executable, contained.__file__, str(run), str(compiled), fault, image, str(MEMORY), *limit]


def start(run: Path, compiled: Path, image: str, fault: str, *limit: str) -> subprocess.Popen[bytes]:
    run.mkdir(parents=True, exist_ok=True)
    with (run / "watch.log").open("wb") as log:
        return subprocess.Popen(
            command(run, compiled, image, fault, *limit),
            stdout=log,
            stderr=log,
            env={**os.environ, "PLANTED": "secret"},
        )


def finish(run: Path, compiled: Path, image: str, fault: str = "", *limit: str) -> RunRecord:
    process = start(run, compiled, image, fault, *limit)
    code = process.wait(120)
    record = read_record(Run(run, run.name))
    said = (run / "watch.log").read_text() + (run / "logs/orchestrator.log").read_text()
    assert code == record.exit_code, said
    return record


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        ("raise", "second: ValueError: the real reason", 5),
        ("data", "second: line 3: received 'x', expected a number", 4),
        ("exit", "second: exit code 17", 5),
        ("hungry", "second: its container's memory limit of 256Mi was reached", 5),
        ("hungry-child", "it said: the memory of its container ran out", 5),
        ("hungry-before", "second: its container's memory limit of 256Mi was reached", 5),
    ],
)
def test_a_failed_step_fails_the_run_with_its_real_reason(
    runs: Path, compiled: Path, image: str, fault: str, words: str, code: int
) -> None:
    record = finish(runs / "r1", compiled, image, fault)
    assert (record.outcome, record.exit_code) == ("failed", code)
    assert words in record.reason
    assert "\n" not in record.reason


def test_a_step_that_takes_too_long_is_stopped_and_says_so(runs: Path, compiled: Path, image: str) -> None:
    assert "limit" in finish(runs / "r1", compiled, image, "wait", "10").reason


def test_a_step_sees_what_is_its_own_and_nothing_else(runs: Path, compiled: Path, image: str) -> None:
    run = runs / "r1"
    assert [step.state for step in finish(run, compiled, image, "look").steps] == ["done", "done"]
    line = next(line for line in (run / "logs/second.log").read_text().splitlines() if '"capabilities"' in line)
    seen = json.loads(line)
    assert "PLANTED" not in seen["environment"]
    assert not [name for name, value in seen["environment"].items() if "proxy" in name.lower() and value]
    assert seen["ids"] == [os.getuid(), os.getgid()]
    assert (int(seen["capabilities"], 16), seen["privileges"]) == (0, "1")
    assert (seen["interfaces"], seen["root"], seen["scratch"]) == (["lo"], False, True)
    assert {path.stat().st_uid for path in run.rglob("*")} == {os.getuid()}


def at_work(run: Path) -> bool:
    fragment = Run(run, run.name).fragment("second")
    return fragment is not None and fragment.state == "running"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_container(runs: Path, compiled: Path, image: str, number: signal.Signals) -> None:
    process = start(runs / "r1", compiled, image, "wait")
    eventually(lambda: at_work(runs / "r1"))
    assert containers(runs) == ["ferryman-r1-second"]
    # Whoever looks at the run sees what its container takes.
    assert family_size(eventually(MainProcess(runs / "r1", "second").pid), processes()) > 10e6
    process.send_signal(number)
    assert process.wait(60) == 130
    assert containers(runs) == []


def test_an_orchestrator_that_is_killed_leaves_no_container(runs: Path, compiled: Path, image: str) -> None:
    process = start(runs / "r1", compiled, image, "wait")
    eventually(lambda: at_work(runs / "r1"))
    words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in family(process.pid)}
    os.kill(next(pid for pid, line in words.items() if b"orchestrate" in line), signal.SIGKILL)
    assert process.wait(60) == 5
    assert containers(runs) == []
    assert "SIGKILL" in read_record(Run(runs / "r1", "r1")).reason


def test_what_a_killed_command_leaves_is_removed_by_the_next_run_and_the_run_goes_on(
    runs: Path, compiled: Path, image: str
) -> None:
    for name in ("r1", "r2"):
        process = start(runs / name, compiled, image, "wait")
        eventually(lambda name=name: at_work(runs / name))  # type: ignore[misc]
        process.kill()
        process.wait()
    # The second one found the first one's, and left its own.
    assert containers(runs) == ["ferryman-r2-second"]
    record = finish(runs / "r2", compiled, image)
    assert [(step.step, step.state, step.reused) for step in record.steps] == [
        ("first", "done", True),
        ("second", "done", False),
    ]


def test_a_container_that_somebody_else_removes_fails_the_run(runs: Path, compiled: Path, image: str) -> None:
    process = start(runs / "r1", compiled, image, "wait")
    eventually(lambda: at_work(runs / "r1"))
    ask("rm", "--force", *containers(runs))
    assert process.wait(60) == 5
    assert "removed by somebody else" in read_record(Run(runs / "r1", "r1")).reason


@pytest.mark.slow
def test_a_step_made_to_fail_fails_the_run_a_hundred_times_out_of_a_hundred(
    runs: Path, compiled: Path, image: str
) -> None:
    faults = {"raise": "the real reason", "exit": "exit code 17", "data": "line 3", "hungry-before": "memory limit"}
    reasons = []
    for number in range(0, 100, 2):
        pair = [(runs / f"r{number + at}", list(faults)[(number + at) % len(faults)]) for at in range(2)]
        for run, fault, process in [(run, fault, start(run, compiled, image, fault)) for run, fault in pair]:
            code, record = process.wait(120), read_record(Run(run, run.name))
            reasons.append((code in {4, 5}, record.outcome, faults[fault] in record.reason))
    assert reasons == [(True, "failed", True)] * 100
