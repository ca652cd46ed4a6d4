"""A version folder to a loaded version."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferryman.model_server.core import UNIMPLEMENTED, Refusal
from ferryman.model_server.runtime.servable import Servable
from ferryman.model_server.text_files import read
from ferryman.serving.protocol import BatchingParameters

if TYPE_CHECKING:
    from ferryman.model_server.runtime.batches import Scheduler
    from ferryman.model_server.runtime.batching import Batching

BATCHING_FILE = "batching_params.pbtxt"
"""A version's own BatchingParameters (servables/tensorflow/bundle_factory_util.cc)."""

IMPORTING = threading.Lock()
"""Held while TensorFlow is imported, with the first model."""

INITIAL_BATCH = 500
"""Rows that the interpreters of a pool share (tflite_session.h, kInitialBatchSize)."""


@dataclass(frozen=True)
class LoadOptions:
    """How versions are loaded; the defaults are tensorflow_model_server's flags."""

    saved_model_tags: str = "serve"
    """Separated by commas."""

    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    """0 runs each request once."""

    prefer_tflite_model: bool = False
    num_tflite_pools: int = 1
    """Interpreters of a model.tflite that run at the same time."""

    num_tflite_interpreters_per_pool: int = 1
    """More than 1 batches the requests to a model.tflite: each of 500 rows divided by it."""

    batching: Any = None
    """BatchingParameters for all models; None for no batching."""

    enable_per_model_batching_parameters: bool = False
    """Take them from each version's `batching_params.pbtxt`, and batch no version without."""

    intra_op_parallelism: int = 0
    """Threads in one operation; 0 lets TensorFlow choose."""

    inter_op_parallelism: int = 0
    """Operations of a request at the same time; 0 runs them in the request's own thread."""

    session_config: Any = None
    """The sessions' ConfigProto but for the threads; None for an empty one."""

    mixed_precision: str = ""
    """`bfloat16` lets TensorFlow compute a graph's large operations in it."""

    enable_saved_model_config: bool = False
    """What the original knows by name alone: it then loads no SavedModel."""


def loader(options: LoadOptions) -> Callable[[Path], Servable]:
    """What loads the version in a folder; it raises Refusal with the server's words when it cannot be loaded.

    Raises:
        Refusal: options that no version could be loaded with.
    """
    return _Loader(options).load


class _Loader:
    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._tags = tuple(options.saved_model_tags.split(","))
        self._scheduler: Scheduler | None = None
        # With the first model: it imports TensorFlow.
        self._config: Any = None
        if options.batching is not None:
            self._scheduler = _scheduler(options.batching)

    def load(self, folder: Path) -> Servable:
        with IMPORTING:
            # Two first models at a time would meet TensorFlow's modules half imported: their imports are circular.
            import tensorflow  # noqa: F401

            from ferryman.model_server.runtime.lite import has_lite

        lite = self._options.prefer_tflite_model and has_lite(folder)
        servable: Servable = self._lite(folder) if lite else self._saved_model(folder)
        try:
            servable = self._batched(servable, folder)
            if self._options.enable_model_warmup:
                from ferryman.model_server.warmup import warm_up

                warm_up(servable, folder, self._options.num_request_iterations_for_warmup)
        except BaseException:
            servable.close()
            raise
        return servable

    def _saved_model(self, folder: Path) -> Servable:
        from ferryman.model_server.runtime.saved_model import SavedModel

        if self._options.enable_saved_model_config:
            # session_bundle/oss/session_bundle_util.cc, LoadSessionBundleOrSavedModelBundle
            raise Refusal(UNIMPLEMENTED, "Saved model config functionality is not implemented.")
        if self._config is None:
            self._config = session_config(self._options)
        return SavedModel(folder, self._tags, self._config)

    def _lite(self, folder: Path) -> Servable:
        from ferryman.model_server.runtime.lite import LiteModel

        model = LiteModel(folder, self._options.num_tflite_pools)
        shared = self._options.num_tflite_interpreters_per_pool
        if shared <= 1:
            return model
        from ferryman.model_server.runtime.batches import QueueOptions, Scheduler
        from ferryman.model_server.runtime.batching import BatchedServable, Batching
        from ferryman.model_server.runtime.merging import Merging

        pools = max(1, self._options.num_tflite_pools)
        rows = model.batch if model.batch > 1 else -(-INITIAL_BATCH // shared)
        queue = QueueOptions(INITIAL_BATCH, rows, 0.0, pools * 100, split=True)
        return BatchedServable(model, Scheduler(pools), Batching(queue, Merging()), owns_scheduler=True)

    def _batched(self, servable: Servable, folder: Path) -> Servable:
        if self._scheduler is None:
            return servable
        from ferryman.model_server.runtime.batching import BatchedServable

        parameters = self._batching(folder)
        return servable if parameters is None else BatchedServable(servable, self._scheduler, parameters)

    def _batching(self, folder: Path) -> Batching | None:
        from ferryman.model_server.runtime.batching import batching

        parameters = self._options.batching
        if self._options.enable_per_model_batching_parameters:
            parameters = own_batching(folder)
        return None if parameters is None else batching(parameters)


def own_batching(folder: Path) -> Any:
    """The version's own BatchingParameters; None without. Refusal when the file is none."""
    path = folder / BATCHING_FILE
    return read(str(path), BatchingParameters) if path.exists() else None


def session_config(options: LoadOptions) -> Any:
    """The sessions' ConfigProto (model_servers/server.cc): the flags overwrite the file's threads."""
    from tensorflow.core.protobuf import config_pb2

    from ferryman.model_server.runtime.session_options import set_precision

    config = config_pb2.ConfigProto()
    if options.session_config is not None:
        config.CopyFrom(options.session_config)
    config.intra_op_parallelism_threads = options.intra_op_parallelism
    config.inter_op_parallelism_threads = options.inter_op_parallelism
    set_precision(config, options.mixed_precision)
    return config


def _scheduler(parameters: Any) -> Scheduler:
    from ferryman.model_server.runtime.batches import Scheduler

    given = parameters.HasField("num_batch_threads")
    threads = parameters.num_batch_threads.value if given else len(os.sched_getaffinity(0))
    return Scheduler(threads, parameters.thread_pool_name.value or "batch_threads")
