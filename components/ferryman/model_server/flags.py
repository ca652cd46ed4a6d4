"""tensorflow_model_server's flags: their names and defaults; unknown ones are told and passed over, as it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

INEFFECTIVE = frozenset(
    (
        "rest_api_num_threads",
        "rest_api_enable_cors_support",
        "enable_batching",
        "batching_parameters_file",
        "enable_per_model_batching_parameters",
        "model_config_file_poll_wait_seconds",
        "flush_filesystem_caches",
        "num_unload_threads",
        "tensorflow_session_parallelism",
        "tensorflow_intra_op_parallelism",
        "tensorflow_inter_op_parallelism",
        "tensorflow_session_config_file",
        "use_alts_credentials",
        "ssl_config_file",
        "platform_config_file",
        "per_process_gpu_memory_fraction",
        "saved_model_tags",
        "grpc_channel_arguments",
        "enable_model_warmup",
        "num_request_iterations_for_warmup",
        "monitoring_config_file",
        "remove_unused_fields_from_bundle_metagraph",
        "prefer_tflite_model",
        "num_tflite_pools",
        "num_tflite_interpreters_per_pool",
        "enable_signature_method_name_check",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
        "enable_profiler",
        "thread_pool_factory_config_file",
        "mixed_precision",
        "skip_initialize_tpu",
        "enable_grpc_healthcheck_service",
        "enable_serialization_as_tensor_content",
        "rest_api_timeout_in_ms",
    )
)
"""Flags of the real server that this one accepts and that change nothing here, yet."""


@dataclass
class Flags:
    """The flags that have an effect."""

    host: str = "127.0.0.1"
    """Ours: which address is bound. The real server binds 0.0.0.0, and its ModelService has no authentication."""

    port: int = 8500
    grpc_socket_path: str = ""
    rest_api_port: int = 0
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    allow_version_labels_for_unavailable_models: bool = False
    num_load_threads: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    file_system_poll_wait_seconds: int = 1
    grpc_max_threads: int = 0
    """0: four per processor."""

    version: bool = False


@dataclass
class Parsed:
    """Flags, and what is to be said about the others."""

    flags: Flags
    unknown: list[str]
    ineffective: list[str]


def parse(arguments: Sequence[str]) -> Parsed:
    """Read `--name=value`, `--name value` and `--switch`; ValueError when a value is not of the flag's type."""
    parsed = Parsed(Flags(), [], [])
    types = {field.name: str(field.type) for field in fields(Flags)}
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or (name not in types and name not in INEFFECTIVE):
            parsed.unknown.append(word)
            continue
        if not equals and words and not words[0].startswith("--") and types.get(name) != "bool":
            value, equals = words.pop(0), "="
        if name in INEFFECTIVE:
            parsed.ineffective.append(name)
        else:
            setattr(parsed.flags, name, _value(name, types[name], value if equals else "true"))
    return parsed


def _value(name: str, kind: str, text: str) -> str | int | bool:
    if kind == "int":
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"--{name}: received {text!r}, expected a whole number") from None
    if kind == "bool":
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ValueError(f"--{name}: received {text!r}, expected true or false")
        return text.lower() in {"true", "1"}
    return text
