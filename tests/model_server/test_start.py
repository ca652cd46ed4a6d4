"""How a server starts and ends: its exit code, the one line that it says, what it refuses."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import control_only
import pytest
from newcomer import eventually
from starting import HOST, Start, awaited, broken, configured, said, said_and_failed, taken

from ferryman.serving.config import ModelConfig
from ferryman.serving.server import free_port, listening

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


def test_an_address_of_ipv6_is_one_for_both_ports(start: Start, nothing: str) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    port, rest = free_port(HOST), free_port(HOST)
    process = start(nothing, "--host=::1", f"--port={port}", f"--rest_api_port={rest}")
    awaited(process, "Exporting HTTP/REST API")
    for number in (port, rest):
        socket.create_connection(("::1", number), 5).close()


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
        "{{{name: m version: 4} due to error: NOT_FOUND: Specified file path does not appear to contain a SavedModel "
        "bundle (should have a file called `saved_model.pb`)",
        f"Specified file path: {tmp_path}/m/4}}, }}",
    ]


def test_a_start_that_fails_leaves_no_downloads(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.cloud.storage")
    from google_bucket import Bucket

    (tmp_path / "downloads").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "downloads"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "tests")
    with Bucket() as bucket:
        bucket.objects["m/4/saved_model.pb"] = b"no model"
        threading.Thread(target=bucket.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{bucket.server_port}")
        model = configured(tmp_path, ModelConfig("m", "gs://tests/m", (4,)))
        code, lines = said(start(model, "--max_num_load_retries=0", f"--port={free_port(HOST)}"))
        bucket.shutdown()
    assert code == 255
    assert "Can't parse" in lines[0]
    assert list((tmp_path / "downloads").glob("ferryman*")) == []


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


@pytest.mark.parametrize(
    "flags",
    [
        ["--enable_batching", "--batching_parameters_file={file}"],
        ["--tensorflow_session_config_file={file}"],
        ["--platform_config_file={file}"],
    ],
)
def test_files_about_loading_that_cannot_be_read_are_refused_before_a_model_loads(
    start: Start, tmp_path: Path, flags: list[str]
) -> None:
    file = tmp_path / "batching"
    file.write_bytes(b"max_batch_size { value: \xff }")
    given = [flag.format(file=file) for flag in flags]
    said_and_failed(start("--model_base_path=/none", *given), f"INVALID_ARGUMENT: Invalid protobuf file: '{file}'")


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
