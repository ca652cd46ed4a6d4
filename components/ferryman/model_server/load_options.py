"""How versions are loaded: what the flags say, or in the place of many of them --platform_config_file.

Source: tensorflow_serving/model_servers/server.cc (2.21), Server::BuildAndStart.
"""

from __future__ import annotations

from typing import Any

from ferryman.model_server import settings
from ferryman.model_server.flags import Flags
from ferryman.model_server.loading import LoadOptions
from ferryman.model_server.platform_config import read_platform


def load_options(flags: Flags) -> LoadOptions:
    """The options of all loads. Refusal when a file cannot be read, or flags contradict each other."""
    if flags.platform_config_file:
        return of_platform(read_platform(flags.platform_config_file))
    batching, session_config = settings.batching(flags), settings.session_config(flags)
    settings.check_parallelism(flags)
    intra_op, inter_op = settings.parallelism(flags)
    return LoadOptions(
        saved_model_tags=flags.saved_model_tags,
        enable_model_warmup=flags.enable_model_warmup,
        num_request_iterations_for_warmup=flags.num_request_iterations_for_warmup,
        prefer_tflite_model=flags.prefer_tflite_model,
        num_tflite_pools=flags.num_tflite_pools,
        num_tflite_interpreters_per_pool=flags.num_tflite_interpreters_per_pool,
        batching=batching,
        enable_per_model_batching_parameters=flags.enable_per_model_batching_parameters,
        intra_op_parallelism=intra_op,
        inter_op_parallelism=inter_op,
        session_config=session_config,
        mixed_precision=flags.mixed_precision,
    )


def of_platform(config: Any) -> LoadOptions:
    """The options that a SessionBundleConfig holds; what it leaves out has protobuf's defaults, not those of the flags.

    Source: servables/tensorflow/saved_model_bundle_factory.cc, InternalCreateSavedModelBundle.
    """
    from tensorflow.core.protobuf import config_pb2

    session = config_pb2.ConfigProto.FromString(config.session_config.SerializeToString())
    batches = config.HasField("batching_parameters") and not config.wrap_session_with_no_threading_params
    return LoadOptions(
        saved_model_tags=",".join(config.saved_model_tags) or LoadOptions.saved_model_tags,
        enable_model_warmup=config.enable_model_warmup,
        num_request_iterations_for_warmup=config.model_warmup_options.num_request_iterations.value,
        prefer_tflite_model=config.prefer_tflite_model,
        num_tflite_pools=config.num_tflite_pools or config.num_tflite_interpreters,
        num_tflite_interpreters_per_pool=config.num_tflite_interpreters_per_pool,
        batching=config.batching_parameters if batches else None,
        enable_per_model_batching_parameters=config.enable_per_model_batching_params,
        intra_op_parallelism=session.intra_op_parallelism_threads,
        inter_op_parallelism=session.inter_op_parallelism_threads,
        session_config=session,
        mixed_precision=config.mixed_precision,
        enable_saved_model_config=config.enable_saved_model_config,
    )
