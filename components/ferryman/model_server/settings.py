"""Which flags go together, and what the files hold that flags name.

Source of the order, the codes and the texts: tensorflow_serving/model_servers/server.cc (2.21), Server::BuildAndStart.
"""

from __future__ import annotations

from typing import Any

from ferryman.model_server import metrics
from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.flags import Flags
from ferryman.model_server.text_files import read
from ferryman.serving.protocol import BatchingParameters, ModelServerConfig, MonitoringConfig, SSLConfig


def check(flags: Flags) -> None:
    """Refuse flags that contradict each other."""
    for name, port in (("port", flags.port), ("rest_api_port", flags.rest_api_port)):
        # The C library takes it modulo 65536, which gRPC listens at without a word.
        if not 0 <= port < 65536:
            _refuse(f"--{name}: received {port}, expected a port from 1 to 65535, or 0 for none")
    if not flags.port and not flags.grpc_socket_path:
        _refuse("At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.")
    if flags.use_alts_credentials and flags.ssl_config_file:
        _refuse("Either use_alts_credentials must be false or ssl_config_file must be empty.")
    if flags.use_alts_credentials:
        # Passed over, it would leave open what somebody wanted closed.
        _refuse("use_alts_credentials works inside Google Cloud with the real server alone; try ssl_config_file")
    if not flags.model_base_path and not flags.model_config_file:
        _refuse("Both server_options.model_base_path and server_options.model_config_file are empty!")


def configured(flags: Flags) -> Any:
    """The ModelServerConfig of the start-up file, or of the one model of --model_name and --model_base_path.

    Raises:
        Refusal: the file cannot be read, or is none; a name or a path is no UTF-8.
    """
    if flags.model_config_file:
        return read(flags.model_config_file, ModelServerConfig)
    config = ModelServerConfig()
    try:
        config.model_config_list.config.add(
            name=flags.model_name, base_path=flags.model_base_path, model_platform="tensorflow"
        )
    except UnicodeEncodeError as error:
        text = f"--model_name or --model_base_path: received {error.object!r}, expected UTF-8"
        raise Refusal(INVALID_ARGUMENT, text) from error
    return config


def batching(flags: Flags) -> Any:
    """The BatchingParameters for all models; None without batching. Refusal when the file cannot be read."""
    if flags.enable_batching and flags.batching_parameters_file:
        return read(flags.batching_parameters_file, BatchingParameters)
    if flags.enable_batching:
        parameters = BatchingParameters()
        parameters.thread_pool_name.value = "model_server_batch_threads"
        return parameters
    if flags.batching_parameters_file:
        _refuse(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    return None


def session_config(flags: Flags) -> Any:
    """The ConfigProto of all sessions; None without. Refusal when the file cannot be read."""
    if not flags.tensorflow_session_config_file:
        return None
    from tensorflow.core.protobuf import config_pb2

    return read(flags.tensorflow_session_config_file, config_pb2.ConfigProto)


def check_parallelism(flags: Flags) -> None:
    """Refuse a session's threads that are given both as one number and as two."""
    numbers = (
        *(flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism),
        flags.tensorflow_session_parallelism,
    )
    if all(number > 0 for number in numbers):
        _refuse(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) separately. "
            "You cannot configure all."
        )


def parallelism(flags: Flags) -> tuple[int, int]:
    """Threads in one operation of a session, and operations at the same time; 0 lets TensorFlow choose."""
    if flags.tensorflow_intra_op_parallelism > 0 or flags.tensorflow_inter_op_parallelism > 0:
        return flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism
    return flags.tensorflow_session_parallelism, flags.tensorflow_session_parallelism


def certificates(flags: Flags) -> Any:
    """The SSLConfig of gRPC; None without. Refusal when the file cannot be read, at which the real server crashes."""
    return read(flags.ssl_config_file, SSLConfig) if flags.ssl_config_file else None


def metrics_path(flags: Flags) -> str | None:
    """Where Prometheus reads; None for nowhere. Refusal when the file cannot be read."""
    if not flags.monitoring_config_file:
        return None
    prometheus = read(flags.monitoring_config_file, MonitoringConfig).prometheus_config
    return (prometheus.path or metrics.PATH) if prometheus.enable else None


def _refuse(text: str) -> None:
    raise Refusal(INVALID_ARGUMENT, text)
