"""A warm child is what a fresh one would be; one that dies takes nobody along; nothing outlives whoever asked."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from newcomer import eventually
from spawned import forking, run, spawn

from ferryman import process

STATE = """
import json, os, signal, sys, threading
dispositions = {number: str(signal.getsignal(number)) for number in sorted(signal.valid_signals())}
print(json.dumps({
    "argv": sys.argv[1:], "flags": list(sys.flags), "path": sys.path, "cwd": os.getcwd(),
    "environment": {name: value for name, value in os.environ.items() if name != "FERRYMAN_ERROR_FILE"},
    "files": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) < 3},
    "open": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    "tasks": len(os.listdir("/proc/self/task")), "signals": dispositions,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "leads": os.getsid(0) == os.getpid(),
    "umask": os.umask(0), "main": sys.modules["__main__"].__name__,
}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Process]:
    with forking(tmp_path_factory.mktemp("fork-server") / "server.log", "numpy", "ferryman.errors") as started:
        yield started


def command(tmp_path: Path, code: str, *arguments: str) -> list[str]:
    path = tmp_path / f"code-{len(list(tmp_path.glob('code-*.py')))}.py"
    path.write_text(code, encoding="utf-8")
    return [sys.executable, "-m", "spawned", str(path), *arguments]


def forked(tmp_path: Path, name: str, **options: Any) -> bool:
    """Whether a child with these options comes warm."""
    code = "import sys; print('ferryman.process.fork_server' in sys.orig_argv)"
    finished = run(command(tmp_path, code), log=tmp_path / f"{name}.log", **options)
    assert finished.ok, finished.reason()
    return process.last_line(tmp_path / f"{name}.log") == "True"


@pytest.mark.usefixtures("server")
def test_a_warm_child_finds_what_a_fresh_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "room").mkdir()
    found = {}
    for way in ("warm", "fresh"):
        if way == "fresh":
            monkeypatch.delenv("FERRYMAN_FORK_SERVER")
        log = tmp_path / way / "child.log"
        arguments = command(tmp_path, STATE, "--one", "zwei drei")
        assert run(arguments, log=log, cwd=tmp_path / "room", env={"FERRYMAN_X": "y"}).ok, log.read_text()
        found[way] = json.loads(log.read_text())
        assert found[way]["files"].pop("1") == str(log)
        assert found[way]["files"].pop("2") == str(log)
    assert found["warm"].pop("environment").pop("FERRYMAN_FORK_SERVER")
    found["fresh"].pop("environment")
    assert found["warm"] == found["fresh"]
    assert found["warm"]["cwd"] == str(tmp_path / "room")
    assert found["warm"]["argv"] == ["--one", "zwei drei"]


@pytest.mark.usefixtures("server")
def test_the_environment_of_a_warm_child_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    code = (
        "import os; print(os.environ['FERRYMAN_X'], os.environ['CUDA_VISIBLE_DEVICES'], os.environ['PYTHONSAFEPATH'])"
    )
    log = tmp_path / "child.log"
    assert run(command(tmp_path, code), log=log, env={"FERRYMAN_X": "y", "CUDA_VISIBLE_DEVICES": "-1"}).ok
    assert log.read_text() == "y -1 1\n"


@pytest.mark.usefixtures("server")
def test_another_environment_or_interpreter_comes_fresh_and_the_log_says_why(tmp_path: Path) -> None:
    assert forked(tmp_path, "same")
    assert not forked(tmp_path, "other", env={"TF_ENABLE_ONEDNN_OPTS": "0"})
    assert (
        "started fresh: the fork server has another environment: TF_ENABLE_ONEDNN_OPTS"
        in (tmp_path / "other.log").read_text()
    )
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    finished = process.run([link, "-m", "json.tool", "--help"], log=tmp_path / "python.log", warm_start=True)
    assert finished.ok
    assert finished.argv[0] == str(link)


@pytest.mark.usefixtures("server")
def test_a_folder_or_log_that_is_not_there_fails_as_a_fresh_one_does(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(command(tmp_path, "print(1)"), log=tmp_path / "child.log", cwd=tmp_path / "nowhere")


@pytest.mark.usefixtures("server")
def test_every_warm_child_has_chance_of_its_own(tmp_path: Path) -> None:
    code = "import random, numpy, tempfile; print(random.random(), numpy.random.rand(), tempfile.mktemp(), sep=chr(10))"
    drawn = []
    for number in range(2):
        log = tmp_path / f"{number}.log"
        assert run(command(tmp_path, code), log=log).ok
        drawn.append(log.read_text().splitlines())
    assert all(one != other for one, other in zip(*drawn, strict=True)), drawn


@pytest.mark.parametrize(
    ("code", "signalled", "exit_code"),
    [
        ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV, None),
        ("import os; os._exit(7)", None, 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL, None),
        ("import os, signal; os.killpg(0, signal.SIGABRT)", signal.SIGABRT, None),
    ],
)
def test_a_child_that_crashes_takes_nobody_along(
    server: process.Process, tmp_path: Path, code: str, signalled: int | None, exit_code: int | None
) -> None:
    other = spawn(command(tmp_path, "import time; time.sleep(60)"), log=tmp_path / "other.log")
    ended = run(command(tmp_path, code), log=tmp_path / "child.log")
    assert (ended.signal, ended.exit_code, ended.lost) == (signalled, exit_code, False)
    assert other.poll() is None
    assert server.poll() is None
    assert other.terminate().signal == signal.SIGTERM


def test_when_the_fork_server_is_killed_its_children_are_lost_and_the_next_come_fresh(tmp_path: Path) -> None:
    with forking(tmp_path / "server.log", "ferryman.errors") as server:
        child = spawn(command(tmp_path, "import time; time.sleep(60)"), log=tmp_path / "child.log")
        os.kill(server.pid, signal.SIGKILL)
        ended = child.wait(10)
        assert (ended.lost, ended.timed_out, ended.ok) == (True, False, False)
        assert "fork server" in ended.reason()
        assert not Path(f"/proc/{child.pid}/task").exists() or _zombie(child.pid)
        assert not forked(tmp_path, "next")
        assert server.wait(5).signal == signal.SIGKILL


def test_the_fork_server_and_its_children_die_with_whoever_started_it(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom spawned import forking, spawn\n"
        f"place = Path({str(tmp_path)!r})\n"
        "with forking(place / 'server.log', 'ferryman.errors') as server:\n"
        f"    child = spawn({command(tmp_path, 'import time; time.sleep(60)')!r}, log=place / 'child.log')\n"
        "    print(server.pid, child.pid, flush=True)\n    time.sleep(60)"
    )
    log = tmp_path / "owner.log"
    owner = spawn(command(tmp_path, code), log=log)
    eventually(lambda: log.read_text().endswith("\n"), 30)
    pids = [int(word) for word in log.read_text().split()]
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait(5)
    assert eventually(lambda: all(not Path(f"/proc/{pid}").exists() or _zombie(pid) for pid in pids), 5)


def test_imports_that_leave_a_thread_are_refused_and_children_come_fresh(tmp_path: Path) -> None:
    with forking(tmp_path / "server.log", "threaded") as server:
        assert not forked(tmp_path, "child")
        assert not server.wait(10).ok
    assert "after the imports 2 threads run" in process.last_line(tmp_path / "server.log")


def test_a_module_that_cannot_be_imported_costs_the_warm_start_alone(tmp_path: Path) -> None:
    with forking(tmp_path / "server.log", "no_such_module") as server:
        assert not forked(tmp_path, "child")
        assert "no_such_module" in server.wait(10).reason()


def test_variables_of_the_imports_are_theirs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_OWN", "kept")
    code = "import os, settings; print(settings.SEEN, os.environ['FERRYMAN_OWN'], 'FERRYMAN_LENT' in os.environ)"
    with forking(tmp_path / "server.log", "FERRYMAN_OWN=other", "FERRYMAN_LENT=1", "settings"):
        assert run(command(tmp_path, code), log=tmp_path / "child.log").ok
    assert process.last_line(tmp_path / "child.log") == "('kept', '1') kept False"


def test_tensorflow_is_imported_and_not_started_and_trains_the_same_bits_warm_and_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferryman_pipelines.runners.warm import PRELOAD

    begin = (
        "import os, sys\nloaded = 'tensorflow' in sys.modules\ntasks = len(os.listdir('/proc/self/task'))\n"
        "from tensorflow.python.eager import context\nstarted = context._context is not None\n"
    )
    code = begin + (
        "import hashlib, keras, numpy\nfrom ferryman.models.runtime import fix_chance\nfix_chance(5)\n"
        "model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, 'relu'), keras.layers.Dense(1)])\n"
        "model.compile('adam', 'mse')\nrows = numpy.random.default_rng(1).normal(size=(256, 4))\n"
        "model.fit(rows, rows[:, 0], epochs=2, verbose=0)\n"
        "bits = b''.join(weight.numpy().tobytes() for weight in model.weights)\n"
        "print(loaded, tasks, started, hashlib.sha256(bits).hexdigest())"
    )
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    with forking(tmp_path / "server.log", *PRELOAD):
        warm, fresh = tmp_path / "warm.log", tmp_path / "fresh.log"
        assert run(command(tmp_path, code), log=warm).ok, warm.read_text()
        monkeypatch.delenv("FERRYMAN_FORK_SERVER")
        assert run(command(tmp_path, code), log=fresh).ok, fresh.read_text()
        monkeypatch.undo()
    told = [process.last_line(log).split() for log in (warm, fresh)]
    assert told[0][:3] == ["True", "1", "False"]
    assert told[1][0] == "False"
    assert told[0][3] == told[1][3]


def _zombie(pid: int) -> bool:
    time.sleep(0.05)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
