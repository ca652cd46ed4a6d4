"""How a start ends: which flags and files it takes, its exit code, and what it says on standard output."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import saved_models
from rests_on import rests_on
from serving_client import Model, as_text, code, no_model, until
from serving_target import HOST, START_LIMIT, Started, Target

from ferryman.serving.server import free_port, listening

Start = Callable[..., Started]

MAIN = "model_servers/main.cc:main"
BUILD = "model_servers/server.cc:Server::BuildAndStart"
INITIAL = "core/load_servables_fast.cc:ConnectSourcesWithFastInitialLoad"
PARSE = "util/proto_util.h:ParseProtoTextFile"
ANY = "core/servable_state_monitor.cc:HasAnyServableInStreamReachedState"

FAST = "--max_num_load_retries=0"


def config(folder: Path, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.config").write_text(text)
    return f"--model_config_file={folder / 'models.config'}"


def failed(started: Started) -> str:
    """What follows `Failed to start server. Error: ` at a start that failed; 255 is its exit code."""
    assert started.ended() == 255
    _, said, text = started.out.partition("Failed to start server. Error: ")
    assert said
    return text.rstrip("\n")


@rests_on(BUILD, MAIN)
def test_what_cannot_start_ends_with_255_and_says_why_on_standard_output(
    start: Start, models: Path, tmp_path: Path
) -> None:
    base, nothing = f"--model_base_path={models / 'm'}", config(tmp_path / "n", "model_config_list {}")
    (tmp_path / "batching").write_text("max_batch_size { value: 4 }")
    (tmp_path / "odd").write_text("no such field: 3")
    no_models, no_port, batching, alts, parallel, odd_batching = (
        start(),
        start(nothing, grpc_port=0),
        start(base, f"--batching_parameters_file={tmp_path / 'batching'}"),
        start(base, "--use_alts_credentials", f"--ssl_config_file={tmp_path / 'odd'}"),
        start(
            base,
            "--tensorflow_session_parallelism=2",
            "--tensorflow_intra_op_parallelism=2",
            "--tensorflow_inter_op_parallelism=2",
        ),
        start(base, "--enable_batching", f"--batching_parameters_file={tmp_path / 'odd'}"),
    )
    assert failed(no_models) == (
        "INVALID_ARGUMENT: Both server_options.model_base_path and server_options.model_config_file are empty!"
    )
    assert failed(no_port) == (
        "INVALID_ARGUMENT: At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
    )
    assert failed(batching) == (
        "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting "
        "server_options.enable_batching to true."
    )
    assert failed(alts) == (
        "INVALID_ARGUMENT: Either use_alts_credentials must be false or ssl_config_file must be empty."
    )
    assert failed(parallel).startswith("INVALID_ARGUMENT: Either configure server_options.tensorflow_session_parallel")
    assert failed(odd_batching) == f"INVALID_ARGUMENT: Invalid protobuf file: '{tmp_path / 'odd'}'"


@rests_on(BUILD, PARSE)
def test_a_start_up_file_that_cannot_be_read_ends_the_start(start: Start, tmp_path: Path) -> None:
    unparsable = start(config(tmp_path / "u", "model_config_list { config { name: 'm' base: 'x' } }"))
    missing = start(f"--model_config_file={tmp_path / 'none'}")
    # Mapping a file of no bytes into memory is an error of the system's.
    empty = start(config(tmp_path / "e", ""))
    assert failed(unparsable) == f"INVALID_ARGUMENT: Invalid protobuf file: '{tmp_path}/u/models.config'"
    assert failed(missing).startswith(f"NOT_FOUND: {tmp_path / 'none'}")
    assert failed(empty).startswith(f"INVALID_ARGUMENT: {tmp_path}/e/models.config")


@rests_on(BUILD, "model_servers/server_core.cc:ServerCore::ReloadConfig")
def test_a_start_up_file_without_any_config_serves_nothing_and_takes_its_first_from_a_reload(
    start: Start, models: Path, tmp_path: Path
) -> None:
    client = start(config(tmp_path, "# nothing yet\n"), "--num_load_threads=2", FAST).client()
    assert code(lambda: client.status(name="m")) == "NOT_FOUND"
    # The first model that is loaded brings TensorFlow with it.
    client.reload(Model("m", models / "m", (1,)), limit=START_LIMIT)
    assert client.resolved("m") == 1


@rests_on(INITIAL, ANY, MAIN)
def test_models_that_cannot_load_end_the_start(start: Start, models: Path, tmp_path: Path) -> None:
    good, folder = Model("good", models / "m", (1,)), tmp_path / "bad"
    (folder / "4").mkdir(parents=True)
    shutil.copytree(models / "m" / "1", tmp_path / "mixed" / "1")
    (tmp_path / "mixed" / "2").mkdir()
    one_of_two = start(config(tmp_path / "a", as_text(good, Model("bad", folder, (4,)))), FAST)
    highest = start(config(tmp_path / "b", as_text(Model("mixed", tmp_path / "mixed", (1, 2)))), FAST)
    single = start(f"--model_base_path={folder}", FAST)
    text = "UNKNOWN: 1 servable(s) did not become available: {{{{{{name: {} version: {}}} due to error: NOT_FOUND: {}}}, }}"
    assert failed(one_of_two) == text.format("bad", 4, no_model(folder / "4"))
    # The highest version is loaded first, and a failure is quicker than a load.
    assert failed(highest) == text.format("mixed", 2, no_model(tmp_path / "mixed" / "2"))
    assert failed(single) == text.format("default", 4, no_model(folder / "4"))


@rests_on("model_servers/server_core.cc:ServerCore::UpdateModelVersionLabelMap", BUILD)
def test_refused_configs_end_the_start_with_the_words_of_a_reload(start: Start, models: Path, tmp_path: Path) -> None:
    labelled = as_text(Model("m", models / "m", (1,), {"stable": 1}))
    refused = start(config(tmp_path / "l", labelled))
    allowed = start(config(tmp_path / "a", labelled), "--allow_version_labels_for_unavailable_models=true")
    relative = start(config(tmp_path / "r", as_text(Model("m", "models/m", (1,)))))
    twice = start(config(tmp_path / "t", as_text(Model("m", "/a"), Model("m", "/b"))))
    platform = start(config(tmp_path / "p", as_text(Model("m", models / "m", platform="other"))))
    assert failed(refused) == (
        "FAILED_PRECONDITION: Request to assign label to version 1 of model m, which is not currently available "
        "for inference"
    )
    assert failed(relative) == (
        "INVALID_ARGUMENT: Expected model m to have an absolute path or URI; got base_path()=models/m"
    )
    assert failed(twice) == "INVALID_ARGUMENT: Illegal to list model m multiple times in config list"
    assert failed(platform) == "INVALID_ARGUMENT: Model m requests unsupported platform other"
    assert allowed.client().resolved("m", label="stable") == 1


@rests_on(MAIN, "model_servers/version.cc:TF_Serving_Version")
def test_flags_that_end_a_start_before_any_model(start: Start, aim: Target) -> None:
    version, word, switch = start("--version"), start("--grpc_max_threads=many"), start("--enable_batching=maybe")
    assert version.ended() == 0
    first, second = version.out.splitlines()[:2]
    if not aim.ours:
        assert first.startswith("TensorFlow ModelServer: ")
    assert re.search(r"\d+\.\d+", first)
    assert second.startswith("TensorFlow Library: ")
    for started, flag in ((word, "grpc_max_threads"), (switch, "enable_batching")):
        assert started.ended() == 255
        assert f"--{flag}=" in started.out


@rests_on(MAIN)
def test_an_unknown_flag_is_told_and_passed_over(start: Start, aim: Target, models: Path) -> None:
    flags = f"--model_base_path={models / 'm'}", "--prot=81", "--num_load_thread=4"
    started = start(*flags)
    assert started.client().resolved("default") == 2
    lines = started.out.splitlines()
    assert "unknown argument: --prot=81" in lines
    # The real server names the first alone, and buries it under the page of all flags.
    assert ("unknown argument: --num_load_thread=4" in lines) == aim.ours
    assert any(line.startswith("usage: ") for line in lines) != aim.ours


@rests_on("model_servers/server.cc:BuildSingleModelConfig", BUILD)
def test_one_model_comes_by_its_flags_and_both_are_ignored_beside_a_file(
    start: Start, models: Path, tmp_path: Path
) -> None:
    by_flags = start(f"--model_base_path={models / 'm'}", "--model_name=mine")
    by_file = start(
        config(tmp_path, as_text(Model("filed", models / "m", (1,)))),
        "--model_base_path=/none",
        "--model_name=mine",
    )
    assert by_flags.client().states("mine") == {2: "AVAILABLE"}
    client = by_file.client()
    assert client.states("filed") == {1: "AVAILABLE"}
    assert client.states("mine") == {}


@rests_on("sources/storage_path/file_system_storage_path_source.cc:PollFileSystemForServable", BUILD)
def test_a_missing_base_path_keeps_a_start_waiting_without_ports_until_it_is_there(
    start: Start, models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "late"
    started = start(f"--model_base_path={base}")
    until(lambda: started.err.count("Could not find base path") >= 2, 60, lambda: started.err)
    assert not started.listens()
    assert started.process.poll() is None
    shutil.copytree(models / "m", base)
    assert started.client().resolved("default") == 2


@rests_on("core/basic_manager.cc:BasicManager::SetNumLoadThreads", INITIAL)
def test_a_start_waits_for_all_tries_of_a_bad_version_although_a_good_one_serves(
    start: Start, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "m" / "1", tmp_path / "mixed" / "1")
    (tmp_path / "mixed" / "2").mkdir()
    startup = config(tmp_path, as_text(Model("mixed", tmp_path / "mixed", (1, 2))))
    client = start(startup, "--max_num_load_retries=1", "--load_retry_interval_micros=4000000").client()
    assert client.states("mixed") == {1: "AVAILABLE", 2: "END"}


@rests_on("model_servers/server_core.cc:ValidateNoModelsChangePlatforms", "model_servers/server_core.cc:GetPlatform")
def test_after_a_config_with_a_new_model_without_platform_no_reload_is_ever_accepted_again(
    start: Start, models: Path, tmp_path: Path
) -> None:
    client = start(config(tmp_path, as_text(Model("m", models / "m", (1,)))), FAST).client()
    text = "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform"
    for models_wanted in ([Model("bare", models / "m", platform="")], [Model("m", models / "m", (1, 2))]):
        with pytest.raises(grpc.RpcError) as refused:
            client.reload(*models_wanted)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == f"{text}, model name is bare"
    assert client.resolved("m") == 1


@rests_on(BUILD)
def test_a_grpc_port_that_is_taken_ends_the_start(start: Start, models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        started = start(f"--model_base_path={models / 'm'}", grpc_port=taken.getsockname()[1])
        assert started.ended() == 255
    assert "Failed to start server. Error: " in started.out


@rests_on(BUILD, "model_servers/http_server.cc:CreateAndStartHttpServer")
def test_without_its_rest_port_the_real_server_still_serves_grpc_and_ours_ends(
    start: Start, aim: Target, models: Path
) -> None:
    base = f"--model_base_path={models / 'm'}"
    with socket.socket() as taken:
        taken.bind((HOST if aim.ours else "0.0.0.0", 0))
        taken.listen()
        started = start(base, rest_port=taken.getsockname()[1])
        if aim.ours:
            # Who asked for REST would wait for it for ever.
            assert f"Failed to start HTTP Server at {HOST}:{taken.getsockname()[1]}" in failed(started)
            return
        until(lambda: listening(f"{HOST}:{started.grpc_port}"), 60)
        assert started.client().resolved("default") == 2
    assert "Failed to start HTTP Server" in started.err


@rests_on(BUILD)
def test_rest_is_left_out_without_a_port_of_its_own(start: Start, models: Path) -> None:
    base, port = f"--model_base_path={models / 'm'}", free_port(HOST)
    same, none = start(base, grpc_port=port, rest_port=port), start(base, rest_port=0)
    for server in (same, none):
        assert server.client().resolved("default") == 2


@rests_on(
    "sources/storage_path/file_system_storage_path_source.cc:FileSystemStoragePathSource::SetAspiredVersionsCallback"
)
def test_with_one_poll_only_no_reload_takes_effect_and_a_new_name_waits_for_ever(
    start: Start, models: Path, tmp_path: Path
) -> None:
    startup = config(tmp_path, as_text(Model("m", models / "m", (1,))))
    client = start(startup, "--file_system_poll_wait_seconds=0", "--num_load_threads=2").client()
    assert client.reload(Model("m", models / "m", (1, 2))).status.error_code == 0
    time.sleep(1.5)
    assert client.states("m") == {1: "AVAILABLE"}
    assert code(lambda: client.reload(Model("m", models / "m", (1,)), Model("n", models / "m"), limit=1.5)) == (
        "DEADLINE_EXCEEDED"
    )


@rests_on(MAIN, "model_servers/server.cc:Server::WaitForTermination")
def test_a_term_signal_ends_a_server_and_ours_answers_what_runs_first(
    start: Start, aim: Target, tmp_path: Path
) -> None:
    saved_models.loop(tmp_path / "loop" / "1")
    started = start(f"--model_base_path={tmp_path / 'loop'}")
    client = started.client()
    client.predict({"n": 10}, name="default")
    if not aim.ours:
        started.process.terminate()
        assert started.ended(10) == 143
        return
    running = client.start_predict({"n": 300_000}, name="default")
    time.sleep(0.3)
    assert not running.done()
    started.process.terminate()
    assert running.result().outputs["counted"].int_val[:] == [300_000]
    assert started.ended(10) == 0
