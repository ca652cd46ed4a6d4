"""What a start says, to people and to scripts."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from starting import HOST, Start, awaited, broken, configured, said

from ferryman.serving.server import free_port


def test_it_says_where_it_listens_in_the_words_that_scripts_wait_for(
    start: Start, nothing: str, tmp_path: Path
) -> None:
    port, rest = free_port(HOST), free_port(HOST)
    process = start(nothing, f"--port={port}", f"--rest_api_port={rest}", f"--grpc_socket_path={tmp_path}/s")
    awaited(process, f"Running gRPC ModelServer at {HOST}:{port} ...")
    awaited(process, f"Running gRPC ModelServer at UNIX socket {tmp_path}/s ...")
    awaited(process, f"Exporting HTTP/REST API at:localhost:{rest} ...")
    awaited(process, "No models are configured")


def test_it_says_that_a_version_loads_before_it_has_loaded(start: Start, models: Path) -> None:
    process = start("--model_name=m", f"--model_base_path={models / 'm'}", f"--port={free_port(HOST)}")
    loading = awaited(process, "servable version {name: m version: ")
    assert "INFO Loading servable version {name: m version: " in loading
    awaited(process, "Successfully loaded")


def test_labels_in_the_start_up_file_are_told_which_flag_they_need(start: Start, tmp_path: Path) -> None:
    flag = "--allow_version_labels_for_unavailable_models"
    file = configured(tmp_path, broken(tmp_path, stable=4))
    hint = f"the labels of m need {flag}\n"
    assert hint in start(file, f"--port={free_port(HOST)}").communicate(timeout=60)[1]
    flags = (flag, "--max_num_load_retries=0", f"--port={free_port(HOST)}")
    assert hint not in start(file, *flags).communicate(timeout=60)[1]


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


def test_words_that_are_no_utf_8_are_told_as_they_came_and_end_nothing_with_a_traceback(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a locale of UTF-8, where Python writes nothing else.
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    process = start("--model_base_path=/models/\udcff", "--prot=\udcff", f"--port={free_port(HOST)}")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 255
    assert out.splitlines() == [
        "unknown argument: --prot=\udcff",
        "Failed to start server. Error: INVALID_ARGUMENT: --model_name or --model_base_path: received "
        "'/models/\\udcff', expected UTF-8",
    ]
    assert "Traceback" not in errors


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
