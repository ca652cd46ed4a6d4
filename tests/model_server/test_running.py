"""What flags do to a running server; its models need no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from newcomer import eventually
from slow_process import Slow

from ferryman.serving.config import ModelConfig, render


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Slow]]:
    started: list[Slow] = []

    def start(*flags: str) -> Slow:
        started.append(Slow(tmp_path, 0, *flags))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


def test_prometheus_reads_what_was_asked_where_the_file_says(running: Callable[..., Slow], tmp_path: Path) -> None:
    file = tmp_path / "monitoring"
    file.write_text("prometheus_config { enable: true path: '/counts' }")
    server = running(f"--monitoring_config_file={file}")
    assert server.predict() == [1.5]
    assert server.post()[0] == 200
    status, page = server.get("/counts")
    assert status == 200
    lines = page.decode().splitlines()
    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 2' in lines
    for api in ("GRPC", "REST"):
        (count,) = [
            line for line in lines if line.startswith(":tensorflow:serving:request_latency_count") and api in line
        ]
        assert count.endswith(" 1")
    assert server.get("/monitoring/prometheus/metrics")[0] == 404


def test_without_a_monitoring_file_there_is_no_page(running: Callable[..., Slow]) -> None:
    assert running().get("/monitoring/prometheus/metrics")[0] == 404


def test_the_config_file_is_applied_again_and_a_broken_one_keeps_what_serves(
    running: Callable[..., Slow], tmp_path: Path
) -> None:
    file, base = tmp_path / "models.config", str(tmp_path / "m")
    file.write_text(render([ModelConfig("m", base, (7,))]))
    server = running(f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=1")
    file.write_text("no config")
    eventually(lambda: any("Failed to read ModelServerConfig file" in line for line in server.lines), 10)
    assert server.predict() == [1.5]
    file.write_text(render([ModelConfig("m", base, (7,)), ModelConfig("n", base, (7,))]))
    eventually(lambda: server.get("/v1/models/n/metadata")[0] != 404, 10)
    file.write_text(render([ModelConfig("n", base, (7,))]))
    eventually(lambda: server.get("/v1/models/m/metadata")[0] == 404, 10)


def test_a_change_of_the_config_file_is_not_seen_where_it_is_not_looked_at(
    running: Callable[..., Slow], tmp_path: Path
) -> None:
    file, base = tmp_path / "models.config", str(tmp_path / "m")
    file.write_text(render([ModelConfig("m", base, (7,))]))
    server = running(f"--model_config_file={file}")
    file.write_text("no config")
    time.sleep(1.5)
    assert server.predict() == [1.5]
    assert not any("ModelServerConfig" in line for line in server.lines)


def test_answers_are_lists_of_numbers_unless_raw_bytes_are_asked_for(running: Callable[..., Slow]) -> None:
    plain, raw = running(), running("--enable_serialization_as_tensor_content")
    assert plain.predict() == [1.5]
    # Not in the list of numbers: its bytes hold them.
    assert raw.predict() == []
