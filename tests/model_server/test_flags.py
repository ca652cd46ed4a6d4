"""The words of the command line, read as TensorFlow reads them."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from ferryman import model_server
from ferryman.model_server.command_line import about, parse, table, usage
from ferryman.model_server.flags import Flags


def test_a_value_stands_behind_an_equals_sign_and_a_switch_alone() -> None:
    flags = parse(["--port=81", "--enable_batching", "--enable_model_warmup=false", "--model_name=a=b"]).flags
    assert (flags.port, flags.enable_batching, flags.enable_model_warmup, flags.model_name) == (81, True, False, "a=b")


def test_a_value_in_the_next_word_is_unknown_to_the_real_server_and_told() -> None:
    words = parse(["--port", "81", "--enable_batching", "more"])
    assert words.unknown == ("--port", "81", "more")
    assert words.flags.port == 8500
    assert words.hints == ("--port 81: a value is written --port=81",)


def test_the_last_of_several_values_counts() -> None:
    assert parse(["--port=81", "--port=82"]).flags.port == 82


def test_what_stands_behind_two_dashes_is_no_flag() -> None:
    words = parse(["--port=81", "--", "--port=82"])
    assert words.flags.port == 81
    assert words.unknown == ("--", "--port=82")


def test_one_dash_or_a_name_in_capitals_is_unknown() -> None:
    assert parse(["-port=81", "--PORT=81", "port=81"]).unknown == ("-port=81", "--PORT=81", "port=81")


@pytest.mark.parametrize("text", ["81", " 81", "+81", "0081"])
def test_whole_numbers_are_read_as_the_c_library_reads_them(text: str) -> None:
    words = parse([f"--port={text}"])
    assert (words.flags.port, words.wrong) == (81, ())


@pytest.mark.parametrize(
    "text", ["", "many", "81 ", "8.1", "0x51", "1e3", "٨", "8_1", "\u200381", str(2**31), "9" * 5000]
)
def test_any_other_whole_number_is_wrong(text: str) -> None:
    (told,) = parse([f"--port={text}"]).wrong
    assert told.startswith(f"--port: received {text!r}, expected a whole number")


def test_a_number_of_64_bits_is_one_where_the_real_flag_has_them() -> None:
    assert parse([f"--load_retry_interval_micros={2**31}"]).flags.load_retry_interval_micros == 2**31


@pytest.mark.parametrize("text", ["1", "0", "True", "maybe", ""])
def test_a_switch_knows_true_and_false_alone(text: str) -> None:
    (told,) = parse([f"--enable_batching={text}"]).wrong
    assert told == f"--enable_batching: received {text!r}, expected true or false"


def test_a_switch_takes_every_word_that_begins_with_its_name() -> None:
    assert parse(["--enable_batchings"]).wrong == ("--enable_batching: received 's', expected true or false",)
    assert parse(["--ports=81"]).wrong == ()


def test_a_fraction_is_a_number() -> None:
    assert parse(["--per_process_gpu_memory_fraction=.5"]).flags.per_process_gpu_memory_fraction == 0.5
    assert len(parse(["--per_process_gpu_memory_fraction=half"]).wrong) == 1


def test_the_log_has_two_formats() -> None:
    assert parse(["--log_format=json"]).flags.log_format == "json"
    assert parse(["--log_format=xml"]).wrong == ("--log_format: received 'xml', expected text or json",)


def test_help_must_be_the_first_unknown_word() -> None:
    assert parse(["--port=81", "--help"]).help
    assert not parse(["--prot=81", "--help"]).help
    assert not parse(["--port=81"]).help


def test_flags_without_effect_are_named_when_they_are_given() -> None:
    words = parse(["--enable_profiler=false", "--port=81", "--skip_initialize_tpu=true"])
    assert set(words.ineffective) == {"enable_profiler", "skip_initialize_tpu"}


DEFAULTS = {
    **{"port": 8500, "rest_api_port": 0, "rest_api_timeout_in_ms": 30_000, "model_name": "default"},
    **{
        "num_load_threads": 0,
        "num_unload_threads": 0,
        "max_num_load_retries": 5,
        "load_retry_interval_micros": 60_000_000,
    },
    **{"file_system_poll_wait_seconds": 1, "model_config_file_poll_wait_seconds": 0, "saved_model_tags": "serve"},
    **{"enable_model_warmup": True, "num_request_iterations_for_warmup": 0, "enable_batching": False},
    **{"flush_filesystem_caches": True, "remove_unused_fields_from_bundle_metagraph": True, "enable_profiler": True},
    **{"num_tflite_interpreters_per_pool": 1, "enable_grpc_healthcheck_service": False, "mixed_precision": ""},
    **{"allow_version_labels_for_unavailable_models": False, "enable_signature_method_name_check": False},
}


def test_the_defaults_are_the_real_servers() -> None:
    flags, processors = parse([]).flags, len(os.sched_getaffinity(0))
    assert {name: getattr(flags, name) for name in DEFAULTS} == DEFAULTS
    assert flags.grpc_max_threads == flags.rest_api_num_threads == 4 * processors
    assert flags.num_tflite_pools == processors


REAL = """port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms rest_api_enable_cors_support
enable_batching allow_version_labels_for_unavailable_models batching_parameters_file enable_per_model_batching_parameters
model_config_file model_config_file_poll_wait_seconds model_name model_base_path num_load_threads num_unload_threads
max_num_load_retries load_retry_interval_micros file_system_poll_wait_seconds flush_filesystem_caches
tensorflow_session_parallelism tensorflow_session_config_file tensorflow_intra_op_parallelism
tensorflow_inter_op_parallelism use_alts_credentials ssl_config_file platform_config_file per_process_gpu_memory_fraction
saved_model_tags grpc_channel_arguments grpc_max_threads enable_model_warmup num_request_iterations_for_warmup version
monitoring_config_file remove_unused_fields_from_bundle_metagraph prefer_tflite_model num_tflite_pools
num_tflite_interpreters_per_pool enable_signature_method_name_check xla_cpu_compilation_enabled
xla_gpu_compilation_enabled enable_profiler thread_pool_factory_config_file mixed_precision skip_initialize_tpu
enable_grpc_healthcheck_service enable_serialization_as_tensor_content"""


def test_every_flag_of_the_real_server_is_known_and_ours_are_marked() -> None:
    ours = {known.name for known in fields(Flags) if about(known).ours}
    assert {known.name for known in fields(Flags)} - ours == set(REAL.split())
    assert ours == {"host", "drain_seconds", "log_format"}


def test_the_page_and_the_table_have_every_flag_with_its_default() -> None:
    page, rows = usage("me"), table()
    for known in fields(Flags):
        assert page.count(f"  --{known.name}=") == 1
        assert f"| `--{known.name}` | " in rows
    assert "  --enable_profiler=true\n" in page
    assert max(map(len, page.splitlines())) <= 120


def test_the_documentation_has_the_table_of_these_flags() -> None:
    assert table() in Path(model_server.__file__).with_name("README.md").read_text(encoding="utf-8")
