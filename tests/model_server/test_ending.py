"""The end by a signal: what runs is answered, nothing new is taken, and nobody sees a traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

import pytest
from newcomer import eventually
from slow_process import HOST, Slow

from ferryman.serving.server import free_port, listening

UNSHARE = ("unshare", "-Urpf", "--mount-proc", "--kill-child")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Callable[..., Slow]]:
    started: list[Slow] = []

    def start(seconds: float, *flags: str, **more: Any) -> Slow:
        started.append(Slow(tmp_path, seconds, *flags, **more))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


def test_requests_that_run_are_answered_and_no_new_ones_are_taken(slow: Callable[..., Slow]) -> None:
    server = slow(1.5)
    with ThreadPoolExecutor(2) as clients:
        grpc_answer, rest_answer = clients.submit(server.predict), clients.submit(server.post)
        server.running(2)
        server.process.send_signal(SIGTERM)
        eventually(lambda: not listening(f"{HOST}:{server.port}") and not listening(f"{HOST}:{server.rest}"), 1)
        assert not grpc_answer.done()
        assert grpc_answer.result() == [1.5]
        status, body = rest_answer.result()
    assert (status, b"1.5" in body) == (200, True)
    assert server.process.wait(5) == 0
    assert server.lines[-1].endswith("Ended\n")


def test_a_request_that_takes_too_long_does_not_keep_the_server(slow: Callable[..., Slow]) -> None:
    server = slow(60, "--drain_seconds=1")
    with ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(server.predict), clients.submit(server.post)]
        server.running(2)
        began = time.monotonic()
        server.process.send_signal(SIGTERM)
        assert server.process.wait(5) == 0
        assert 0.9 < time.monotonic() - began < 4
        assert all(answer.exception(5) for answer in answers)


def test_a_second_signal_ends_it_at_once(slow: Callable[..., Slow]) -> None:
    server = slow(60, "--drain_seconds=50")
    with ThreadPoolExecutor(1) as clients:
        clients.submit(server.predict)
        server.running(1)
        server.process.send_signal(SIGINT)
        eventually(lambda: any("SIGINT" in line for line in server.lines), 5)
        server.process.send_signal(SIGINT)
        assert server.process.wait(2) == -SIGINT
    assert not any("Traceback" in line for line in server.lines)


CONTAINED = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine lets nobody make a process namespace",
)


def child_of(parent: int) -> int:
    """PID 1 in there is the child of `unshare` out here."""
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


@CONTAINED
def test_a_signal_ends_it_as_the_first_process_of_a_container_too(slow: Callable[..., Slow]) -> None:
    server = slow(0, before=UNSHARE)
    os.kill(child_of(server.process.pid), SIGTERM)
    assert server.process.wait(5) == 0
    assert any("SIGTERM" in line for line in server.lines)


@CONTAINED
def test_a_signal_ends_the_first_process_of_a_container_that_waits_for_its_model(tmp_path: Path) -> None:
    command = [*UNSHARE, sys.executable, "-m", "ferryman.model_server", f"--model_base_path={tmp_path}/none"]
    process = subprocess.Popen([*command, f"--port={free_port(HOST)}"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert any("Could not find base path" in line for line in process.stderr)
        os.kill(child_of(process.pid), SIGTERM)
        assert process.wait(5) == 128 + SIGTERM
    finally:
        process.kill()


@pytest.mark.parametrize("signal", [SIGINT, SIGTERM])
def test_a_signal_at_any_moment_of_the_start_shows_no_traceback(signal: int, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text("model_config_list {}")
    command = [sys.executable, "-m", "ferryman.model_server", f"--model_config_file={config}"]
    for moment in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
        process = subprocess.Popen([*command, f"--port={free_port(HOST)}"], stderr=subprocess.PIPE, text=True)
        time.sleep(moment)
        process.send_signal(signal)
        _, said = process.communicate(timeout=10)
        # Before our first line the signal is Python's own.
        assert process.returncode in {0, -signal} or "KeyboardInterrupt" in said
        assert set(re.findall(r"model_server/(\w+)\.py", said)) <= {"__main__", "__init__", "ending"}
