"""Every process that we start, fresh or warm, ends with us, says why it failed, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from newcomer import eventually
from spawned import forking, run, spawn

from ferryman import process

Python = Callable[[str], list[str]]


@pytest.fixture(scope="module", params=["fresh", "warm"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """How the children of a test are started: `spawn` and `run` of spawned.py find the fork server by themselves."""
    if request.param == "fresh":
        yield "fresh"
        return
    with forking(tmp_path_factory.mktemp("fork-server") / "server.log", "ferryman.errors"):
        yield "warm"


@pytest.fixture
def python(way: str, tmp_path: Path) -> Python:
    """The command that runs a piece of code; the test fails if a warm child came fresh."""

    def command(code: str) -> list[str]:
        number = len(list(tmp_path.glob("code-*.py")))
        path = tmp_path / f"code-{number}.py"
        forked = f"import sys; assert ('ferryman.process.fork_server' in sys.orig_argv) == {way == 'warm'}\n"
        path.write_text(forked + code, encoding="utf-8")
        return [sys.executable, "-m", "spawned", str(path)]

    return command


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_what_a_child_prints_is_in_its_log_and_its_exit_code_comes_back(python: Python, tmp_path: Path) -> None:
    finished = run(python("print('grüße'); raise SystemExit(3)"), log=tmp_path / "child.log")
    assert (finished.exit_code, finished.signal) == (3, None)
    assert "grüße" in (tmp_path / "child.log").read_text()
    assert finished.reason() == "exit code 3; grüße"


def test_a_good_child_has_no_reason(python: Python, tmp_path: Path) -> None:
    finished = run(python("x = bytearray(50_000_000)"), log=tmp_path / "child.log")
    assert finished.ok
    assert finished.reason() == ""
    assert finished.peak_bytes > 50_000_000
    assert 0 < finished.cpu_seconds < 10


def test_the_error_of_a_child_reaches_its_parent_by_kind_text_and_exit_code(python: Python, tmp_path: Path) -> None:
    code = (
        "from ferryman.errors import DataError\nfrom ferryman.process import child_main\n"
        "def main():\n    raise DataError('received x,\\nexpected y', line=7)\n"
        "child_main(main)"
    )
    finished = run(python(code), log=tmp_path / "child.log")
    assert finished.error == process.ChildError("DataError", "line 7: received x, expected y", 4)
    assert finished.exit_code == 4
    assert "Traceback" in (tmp_path / "child.log").read_text()


def test_an_earlier_error_is_not_taken_for_this_one(python: Python, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    run(python("from ferryman.process import child_main\nchild_main(lambda: 1 / 0)"), log=log)
    assert run(python("raise SystemExit(9)"), log=log).error is None


def test_a_signal_and_a_limit_are_told_apart(python: Python, tmp_path: Path) -> None:
    killed = run(python("import os; os.kill(os.getpid(), 9)"), log=tmp_path / "a.log")
    late = run(python("import time; time.sleep(60)"), log=tmp_path / "b.log", limit=0.3)
    assert (killed.signal, killed.timed_out) == (signal.SIGKILL, False)
    assert "SIGKILL" in killed.reason()
    assert late.timed_out
    assert "limit" in late.reason()


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "no-such-program" in process.run(["no-such-program"], log=tmp_path / "a.log").reason()


def test_arguments_pass_without_a_shell(python: Python, tmp_path: Path) -> None:
    hostile = "a b; $(touch nowhere) 'quoted' \"ü\" python3"
    run([*python("import sys; print(sys.argv[1])"), hostile], log=tmp_path / "a.log")
    assert (tmp_path / "a.log").read_text() == f"{hostile}\n"


def test_the_current_folder_never_shadows_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / "ferryman.py").write_text("raise SystemExit('shadowed')")
    finished = process.run([sys.executable, "-m", "ferryman.errors"], log=tmp_path / "a.log", cwd=tmp_path)
    assert finished.ok, finished.reason()


def test_the_grandchildren_of_a_finished_child_do_not_stay(python: Python, tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    run(python(code), log=tmp_path / "a.log")
    assert gone_within(int((tmp_path / "a.log").read_text()), 2)


def test_children_die_with_a_parent_that_is_killed(python: Python, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom spawned import spawn\n"
        f"child = spawn({python('import time; time.sleep(60)')!r}, log=Path({str(tmp_path / 'child.log')!r}))\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    parent = spawn(python(code), log=tmp_path / "parent.log")
    assert eventually(lambda: (tmp_path / "parent.log").read_text().endswith("\n"))
    child = int((tmp_path / "parent.log").read_text())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    assert parent.wait(5).signal == signal.SIGKILL
    assert gone_within(child, 2)


def test_terminate_asks_first_and_kills_then(python: Python, tmp_path: Path) -> None:
    polite = spawn(python("import time; time.sleep(60)"), log=tmp_path / "a.log")
    stubborn_code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    stubborn = spawn(python(stubborn_code), log=tmp_path / "b.log")
    assert eventually(lambda: "ready" in (tmp_path / "b.log").read_text())
    assert polite.terminate().signal == signal.SIGTERM
    assert stubborn.terminate(grace=0.2).signal == signal.SIGKILL


def test_nobody_is_killed_in_the_place_of_a_child_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = process.spawn(["true"], log=tmp_path / "a.log")
    assert child.wait().ok
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda number, _: killed.append(number))
    child.kill()
    child.terminate()
    assert killed == []


def test_what_tensorflow_says_comes_through_its_own_frames() -> None:
    frames = "".join(
        f'  File "/site-packages/keras/src/layer{number}.py", line {number}, in call\n\n' for number in range(30)
    )
    text = (
        "Graph execution error:\n\nDetected at node functional/brand/GatherV2 defined at (most recent call last):\n"
        f"{frames}indices[0] = 5 is not in [0, 3)\n\t [[{{{{node functional/brand/GatherV2}}}}]] [Op:__inference_f_7]"
    )
    said = "Graph execution error: Detected at node functional/brand/GatherV2: indices[0] = 5 is not in [0, 3)"
    assert process.one_line(RuntimeError(text)) == f"RuntimeError: {said}"
    eager = "\x1b[1m{{function_node __wrapped__GatherV2}} indices[1] = 5 is not in [0, 3) [Op:GatherV2]\x1b[0m"
    assert process.one_line(RuntimeError(eager)) == "RuntimeError: indices[1] = 5 is not in [0, 3)"


def test_a_long_error_text_is_cut_to_one_line() -> None:
    text = process.one_line(ValueError("first\n" + "x" * 10_000))
    assert text.startswith("ValueError: first x")
    assert len(text) == 600
    assert text.endswith("…")
