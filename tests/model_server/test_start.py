"""How a server starts and ends: its exit code, the one line that it says, its flags. No model is loaded here."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import control_only
import pytest
from newcomer import eventually

from ferryman.model_server.flags import parse
from ferryman.serving.config import ModelConfig, render
from ferryman.serving.server import free_port, listening

HOST = "127.0.0.1"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with these flags; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str, program: tuple[str, ...] = ("-m", "ferryman.model_server")) -> subprocess.Popen[str]:
        command = [sys.executable, *program, *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def nothing(tmp_path: Path) -> str:
    """The flag of a start-up file without models."""
    return configured(tmp_path)


def configured(folder: Path, *models: ModelConfig) -> str:
    file = folder / "models.config"
    file.write_text(render(models))
    return f"--model_config_file={file}"


def taken(kind: str = HOST) -> socket.socket:
    listener = socket.socket()
    listener.bind((kind, 0))
    listener.listen()
    return listener


def said(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and the lines of standard output."""
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.splitlines()


def broken(folder: Path, **labels: int) -> ModelConfig:
    (folder / "m" / "4").mkdir(parents=True)
    return ModelConfig("m", str(folder / "m"), (4,), labels)


# Ports


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_a_taken_port_ends_the_start_with_255_and_one_line_that_names_it(start: Start, nothing: str, flag: str) -> None:
    other = "rest_api_port" if flag == "port" else "port"
    with taken() as listener:
        port = listener.getsockname()[1]
        code, lines = said(start(nothing, f"--{flag}={port}", f"--{other}={free_port(HOST)}"))
    assert code == 255
    assert len(lines) == 1
    assert lines[0].startswith("Failed to start server. Error: ")
    assert str(port) in lines[0]


def test_a_server_may_listen_on_a_socket_file_alone(start: Start, nothing: str, tmp_path: Path) -> None:
    import grpc

    path = tmp_path / "s"
    process = start(nothing, "--port=0", f"--grpc_socket_path={path}")
    eventually(path.exists, 30)
    with grpc.insecure_channel(f"unix:{path}") as channel:
        grpc.channel_ready_future(channel).result(20)
    assert process.poll() is None


def test_a_start_without_tensorflow_is_refused_and_not_left_for_the_first_model(start: Start, nothing: str) -> None:
    code, lines = said(start(nothing, "--port=0", program=(control_only.__file__, "ferryman.model_server")))
    assert (code, lines) == (
        255,
        ["Failed to start server. Error: TensorFlow is not installed; try pip install 'ferryman[serve]'"],
    )


# The end


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_a_server_within_seconds_and_well(start: Start, nothing: str, signal: str) -> None:
    import signal as signals

    port, rest = free_port(HOST), free_port(HOST)
    process = start(nothing, f"--port={port}", f"--rest_api_port={rest}")
    eventually(lambda: listening(f"{HOST}:{port}") and listening(f"{HOST}:{rest}"), 30)
    process.send_signal(getattr(signals, signal))
    assert process.wait(4) == 0
    assert not listening(f"{HOST}:{port}")


def test_a_signal_ends_a_server_that_still_waits_for_its_first_model(start: Start, tmp_path: Path) -> None:
    port = free_port(HOST)
    process = start(configured(tmp_path, ModelConfig("m", str(tmp_path / "none"), (1,))), f"--port={port}")
    assert process.stderr is not None
    assert any("Could not find base path" in line for line in process.stderr)
    assert not listening(f"{HOST}:{port}")
    process.terminate()
    assert process.wait(4) == -15


# What it refuses to start with


def test_a_model_that_cannot_load_ends_the_start_and_is_named(start: Start, tmp_path: Path) -> None:
    flags = ["--max_num_load_retries=0", f"--port={free_port(HOST)}"]
    code, lines = said(start(configured(tmp_path, broken(tmp_path)), *flags))
    assert code == 255
    assert lines == [
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: m version: 4} due to error: NOT_FOUND: Could not find SavedModel .pb or .pbtxt at supplied export "
        f"directory path: {tmp_path}/m/4}}, }}"
    ]


def test_a_label_in_the_start_up_file_needs_its_flag(start: Start, tmp_path: Path) -> None:
    code, lines = said(start(configured(tmp_path, broken(tmp_path, stable=4)), f"--port={free_port(HOST)}"))
    assert code == 255
    assert lines == [
        "Failed to start server. Error: FAILED_PRECONDITION: Request to assign label to version 4 of model m, "
        "which is not currently available for inference"
    ]


def test_a_start_up_file_that_is_not_a_config_ends_the_start(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text("model_config_list { config { name: 'm' base: 'x' } }")
    code, lines = said(start(f"--model_config_file={file}"))
    assert code == 255
    assert len(lines) == 1
    assert f"Failed to parse {file}" in lines[0]


def test_a_start_without_any_model_is_refused(start: Start) -> None:
    code, lines = said(start())
    assert code == 255
    assert lines == [
        "Failed to start server. Error: Both server_options.model_base_path and server_options.model_config_file "
        "are empty!"
    ]


# Flags


def test_flags_come_with_an_equals_sign_or_as_the_next_word() -> None:
    flags = parse(["--port=81", "--rest_api_port", "82", "--allow_version_labels_for_unavailable_models"]).flags
    assert (flags.port, flags.rest_api_port, flags.allow_version_labels_for_unavailable_models) == (81, 82, True)


def test_the_defaults_are_the_real_servers() -> None:
    flags = parse([]).flags
    assert (flags.port, flags.rest_api_port, flags.model_name) == (8500, 0, "default")
    assert (flags.num_load_threads, flags.max_num_load_retries, flags.load_retry_interval_micros) == (0, 5, 60_000_000)
    assert flags.file_system_poll_wait_seconds == 1
    assert not flags.allow_version_labels_for_unavailable_models


def test_an_unknown_flag_is_told_and_passed_over() -> None:
    parsed = parse(["--prot=81", "--enable_batching", "--port=82"])
    assert parsed.unknown == ["--prot=81"]
    assert parsed.ineffective == ["enable_batching"]
    assert parsed.flags.port == 82


@pytest.mark.parametrize("word", ["--port=many", "--allow_version_labels_for_unavailable_models=maybe"])
def test_a_value_of_the_wrong_type_names_the_flag_and_the_value(word: str) -> None:
    name, _, value = word.partition("=")
    with pytest.raises(ValueError, match=rf"^{name}: received '{value}', expected "):
        parse([word])
