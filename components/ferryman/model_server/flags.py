"""Every flag of tensorflow_model_server with its default, and a few of ours: the one table of them.

Source of names, types and defaults: tensorflow_serving/model_servers/main.cc and server.h (Server::Options), 2.21.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class About:
    """What is said of a flag."""

    group: str
    help: str
    shown: str = ""
    """The default in words, where it depends on the machine."""
    bits: int = 32
    """Of a whole number."""
    effect: bool = True
    """Whether it changes anything here."""
    ours: bool = False
    """Whether the real server does not know it."""


def flag(default: Any, group: str, help: str, **more: Any) -> Any:
    """A field of Flags; a default that can be called is called for each."""
    kind = "default_factory" if callable(default) else "default"
    return field(**{kind: default}, metadata={"about": About(group, help, **more)})


def processors(each: int) -> Any:
    """A default of `each` for every processor that this process may use (`port::NumSchedulableCPUs`)."""
    return lambda: (
        each * len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
    )


LISTEN, MODELS, LOADING, INFERENCE, BATCHING, WATCHING, OTHER = (
    *("Where it listens", "Which models it serves", "How models are loaded", "How requests are answered"),
    *("Batching", "Logs and metrics", "Accepted, without effect here"),
)


@dataclass(frozen=True)
class Flags:
    """The flags of one start."""

    # ModelService has no authentication: whoever reaches it can replace all models.
    host: str = flag("127.0.0.1", LISTEN, "address that both ports bind; the real server binds 0.0.0.0", ours=True)
    port: int = flag(8500, LISTEN, "port of gRPC; 0 for none")
    grpc_socket_path: str = flag("", LISTEN, "Unix socket of gRPC, beside the port or alone with --port=0")
    rest_api_port: int = flag(0, LISTEN, "port of REST and metrics; 0 for none")
    ssl_config_file: str = flag("", LISTEN, "text SSLConfig: certificate and key of gRPC; REST stays plain HTTP")
    grpc_channel_arguments: str = flag("", LISTEN, "gRPC's own settings, as key=value separated by commas")
    grpc_max_threads: int = flag(processors(4), LISTEN, "threads that answer gRPC calls", shown="4 a processor")
    rest_api_num_threads: int = flag(processors(4), LISTEN, "threads that answer REST calls", shown="4 a processor")
    rest_api_timeout_in_ms: int = flag(30_000, LISTEN, "longest time of a model's answer to a REST call")
    rest_api_enable_cors_support: bool = flag(False, LISTEN, "answer browsers' cross-origin questions")
    enable_grpc_healthcheck_service: bool = flag(False, LISTEN, "serve grpc.health.v1.Health")
    drain_seconds: int = flag(5, LISTEN, "longest wait for running requests at the end", ours=True)

    model_base_path: str = flag("", MODELS, "folder of one model's versions; --model_config_file goes before")
    model_name: str = flag("default", MODELS, "name of the model of --model_base_path")
    model_config_file: str = flag("", MODELS, "text ModelServerConfig: several models, version policies, labels")
    model_config_file_poll_wait_seconds: int = flag(
        0, MODELS, "read --model_config_file again so often, which undoes reloads by RPC; 0 for never"
    )
    file_system_poll_wait_seconds: int = flag(
        1, MODELS, "look for new versions so often; 0 looks once, after which no reload ends; negative never looks"
    )
    allow_version_labels_for_unavailable_models: bool = flag(
        False, MODELS, "a new label may name a version that is not available yet; labels in the file of a start need it"
    )
    saved_model_tags: str = flag("serve", MODELS, "tags of the graph to load from a SavedModel, separated by commas")
    prefer_tflite_model: bool = flag(False, MODELS, "serve model.tflite of a version's folder where there is one")

    platform_config_file: str = flag(
        "",
        LOADING,
        "text PlatformConfigMap: how the platform tensorflow loads, in the place of the flags of batching, of "
        "TensorFlow's sessions, of warm-up, of tags and of LiteRT",
    )
    num_load_threads: int = flag(0, LOADING, "threads that load; with 0 a load that fails keeps all others waiting")
    num_unload_threads: int = flag(0, LOADING, "threads that unload; with 0 the one that also loads")
    max_num_load_retries: int = flag(5, LOADING, "how often a load that failed is tried again")
    load_retry_interval_micros: int = flag(60_000_000, LOADING, "microseconds between two tries", bits=64)
    enable_model_warmup: bool = flag(True, LOADING, "replay assets.extra/tf_serving_warmup_requests after a load")
    num_request_iterations_for_warmup: int = flag(0, LOADING, "how often each of them is replayed, if more than 0")
    num_tflite_pools: int = flag(
        processors(1), LOADING, "pools of interpreters of a model.tflite", shown="1 a processor"
    )
    num_tflite_interpreters_per_pool: int = flag(1, LOADING, "interpreters in each of them")

    tensorflow_session_parallelism: int = flag(
        0, INFERENCE, "threads of a session, in and between operations; 0 lets TensorFlow choose", bits=64
    )
    tensorflow_intra_op_parallelism: int = flag(0, INFERENCE, "threads in one operation", bits=64)
    tensorflow_inter_op_parallelism: int = flag(0, INFERENCE, "operations at the same time", bits=64)
    tensorflow_session_config_file: str = flag("", INFERENCE, "text ConfigProto of the sessions")
    mixed_precision: str = flag(
        "", INFERENCE, "bfloat16: compute a graph's large operations in it, on processors that can"
    )
    enable_signature_method_name_check: bool = flag(
        False, INFERENCE, "each call wants signatures of its own method_name, Predict one of the three"
    )
    enable_serialization_as_tensor_content: bool = flag(
        False, INFERENCE, "answer Predict with raw bytes instead of lists of numbers"
    )

    enable_batching: bool = flag(False, BATCHING, "run requests that come at the same time as one batch")
    batching_parameters_file: str = flag("", BATCHING, "text BatchingParameters; needs --enable_batching")
    enable_per_model_batching_parameters: bool = flag(
        False, BATCHING, "read batching_params.pbtxt of each version's folder instead"
    )

    monitoring_config_file: str = flag("", WATCHING, "text MonitoringConfig: whether and where Prometheus reads")
    log_format: str = flag("text", WATCHING, "text, or json for one JSON object a line, on standard error", ours=True)
    version: bool = flag(False, WATCHING, "print which server this is, and end")

    use_alts_credentials: bool = flag(
        False, OTHER, "Google's ALTS in the place of TLS: refused here, never passed over"
    )
    flush_filesystem_caches: bool = flag(True, OTHER, "drop files from the system's cache after loads", effect=False)
    per_process_gpu_memory_fraction: float = flag(0.0, OTHER, "share of a GPU's memory", effect=False)
    remove_unused_fields_from_bundle_metagraph: bool = flag(True, OTHER, "a saving of memory", effect=False)
    xla_cpu_compilation_enabled: bool = flag(False, OTHER, "XLA on processors", effect=False)
    xla_gpu_compilation_enabled: bool = flag(False, OTHER, "XLA on processors and GPUs", effect=False)
    enable_profiler: bool = flag(True, OTHER, "the profiler's gRPC service", effect=False)
    thread_pool_factory_config_file: str = flag("", OTHER, "text ThreadPoolFactoryConfig", effect=False)
    skip_initialize_tpu: bool = flag(False, OTHER, "leave TPUs alone", effect=False)
