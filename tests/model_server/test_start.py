"""How a server starts and ends: its exit code, the one line that it says, what it refuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import control_only
import pytest
from newcomer import eventually

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


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("model_config_list { config { name: 'm' base: 'x' } }", "INVALID_ARGUMENT: Invalid protobuf file: '{file}'"),
        ("", "INVALID_ARGUMENT: {file}; Invalid argument"),
        (None, "NOT_FOUND: {file}; No such file or directory"),
        ("custom_model_config {}", "INVALID_ARGUMENT: ModelServer does not yet support custom model config."),
    ],
)
def test_a_start_up_file_that_is_not_a_config_ends_the_start(
    start: Start, tmp_path: Path, content: str | None, text: str
) -> None:
    file = tmp_path / "models.config"
    if content is not None:
        file.write_text(content)
    said_and_failed(start(f"--model_config_file={file}"), text.format(file=file))


def said_and_failed(process: subprocess.Popen[str], text: str) -> None:
    assert said(process) == (255, [f"Failed to start server. Error: {text}"])


def test_request_logs_in_the_start_up_file_end_the_start_when_its_models_are_there(
    start: Start, models: Path, tmp_path: Path
) -> None:
    def logged(path: Path) -> str:
        file = tmp_path / f"{path.name}.config"
        model = f"name: 'm' base_path: '{path}' model_platform: 'tensorflow' logging_config {{}}"
        file.write_text(f"model_config_list {{ config {{ {model} }} }}")
        return f"--model_config_file={file}"

    flags = ["--max_num_load_retries=0", f"--port={free_port(HOST)}"]
    said_and_failed(start(logged(models / "m"), *flags), "INVALID_ARGUMENT: No request-logger-creator provided.")
    code, lines = said(start(logged(models / "empty"), *flags))
    assert code == 255
    assert "1 servable(s) did not become available" in lines[0]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ([], "Both server_options.model_base_path and server_options.model_config_file are empty!"),
        (
            ["--port=0"],
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.",
        ),
        (
            ["--use_alts_credentials", "--ssl_config_file=x"],
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            ["--model_base_path=/none", "--batching_parameters_file=x"],
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
        ),
        (
            [
                "--model_base_path=/none",
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ],
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) separately. "
            "You cannot configure all.",
        ),
    ],
)
def test_flags_that_contradict_each_other_are_refused_in_the_real_servers_words(
    start: Start, flags: list[str], text: str
) -> None:
    said_and_failed(start(*flags), f"INVALID_ARGUMENT: {text}")


def test_batching_parameters_that_cannot_be_read_are_refused_before_a_model_loads(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_bytes(b"max_batch_size { value: \xff }")
    flags = ["--model_base_path=/none", "--enable_batching", f"--batching_parameters_file={file}"]
    said_and_failed(start(*flags), f"INVALID_ARGUMENT: Invalid protobuf file: '{file}'")


def test_a_metrics_file_that_cannot_be_read_ends_the_start_only_where_there_is_rest(
    start: Start, nothing: str, tmp_path: Path
) -> None:
    flags = [nothing, f"--port={free_port(HOST)}", f"--monitoring_config_file={tmp_path}/none"]
    said_and_failed(
        start(*flags, f"--rest_api_port={free_port(HOST)}"), f"NOT_FOUND: {tmp_path}/none; No such file or directory"
    )
    process = start(*flags)
    awaited(process, "Running gRPC ModelServer at")


def test_the_same_port_for_both_leaves_rest_out(start: Start, nothing: str) -> None:
    port = free_port(HOST)
    process = start(nothing, f"--port={port}", f"--rest_api_port={port}")
    awaited(process, "REST is left out")
    assert process.poll() is None


# What it says to people


def awaited(process: subprocess.Popen[str], words: str) -> str:
    """The first line of standard error with the words in it."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"ended without {words!r}: {lines}")


def test_it_says_where_it_listens_in_the_words_that_scripts_wait_for(
    start: Start, nothing: str, tmp_path: Path
) -> None:
    port, rest = free_port(HOST), free_port(HOST)
    process = start(nothing, f"--port={port}", f"--rest_api_port={rest}", f"--grpc_socket_path={tmp_path}/s")
    awaited(process, f"Running gRPC ModelServer at {HOST}:{port} ...")
    awaited(process, f"Running gRPC ModelServer at UNIX socket {tmp_path}/s ...")
    awaited(process, f"Exporting HTTP/REST API at:localhost:{rest} ...")
    awaited(process, "No models are configured")


def test_its_log_is_json_where_that_is_asked_for(start: Start, nothing: str) -> None:
    port = free_port(HOST)
    process = start(nothing, f"--port={port}", "--log_format=json", "--enable_profiler=false")
    assert json.loads(awaited(process, "Without effect"))["event"] == "Without effect here: --enable_profiler"
    line = json.loads(awaited(process, "Running"))
    assert (line["level"], line["address"]) == ("info", f"{HOST}:{port}")
    assert line["time"].endswith("Z")
    process.terminate()
    assert json.loads(awaited(process, "SIGTERM"))["signal"] == "SIGTERM"


def test_unknown_words_are_told_on_standard_output_and_passed_over(start: Start) -> None:
    process = start("--prot=81", "--port", "82", "-x")
    code, lines = said(process)
    assert code == 255
    assert lines[:-1] == [f"unknown argument: {word}" for word in ("--prot=81", "--port", "82", "-x")]
    assert lines[-1].endswith("are empty!")


def test_help_and_a_wrong_value_print_the_page_and_exit_as_the_real_server_does(start: Start) -> None:
    for word in ("--help", "--port=many"):
        code, lines = said(start(word))
        assert code == 255
        assert lines[0].startswith("usage: ")
        assert "  --port=8500" in lines


def test_the_version_says_which_server_this_is_and_which_tensorflow_it_has(start: Start) -> None:
    code, lines = said(start("--version", "--prot=1"))
    assert code == 0
    assert [line.partition(": ")[0] for line in lines] == ["TensorFlow ModelServer", "TensorFlow Library"]
    assert "ferryman-model-server" in lines[0]
    assert lines[1].endswith(version("tensorflow"))
