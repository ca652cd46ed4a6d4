"""Requests of many clients run together, as the real server does with --enable_batching.

Source, whose checks and texts these are: tensorflow_serving/batching/{batching_session,batching_util}.cc and
tensorflow_serving/servables/tensorflow/bundle_factory_util.cc, 2.21.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferryman.model_server import metrics
from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime import prediction
from ferryman.model_server.runtime.batches import Queue, QueueOptions, Scheduler, Task
from ferryman.model_server.runtime.merging import Merging, split
from ferryman.model_server.runtime.servable import Servable, Signature

MOST_QUEUES = 256
"""Combinations of tensors that a version has queues for; a request for one more runs alone. The real server makes one for
each that a client thinks of, and looks through all of them before each batch."""

Tensors = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of the tensors that are fed and of those that are fetched, each in order (TensorSignature)."""


@dataclass(frozen=True)
class Batching:
    """How requests of one model are batched."""

    queue: QueueOptions
    merging: Merging


def batching(parameters: Any) -> Batching:
    """What BatchingParameters ask for.

    Raises:
        Refusal: numbers that do not go together.
    """
    options, allowed = _queue_options(parameters), tuple(parameters.allowed_batch_sizes)
    if allowed and allowed[-1] != options.input_limit:
        raise Refusal(
            INVALID_ARGUMENT,
            f"Last entry in allowed_batch_sizes must match max_batch_size; last entry was {allowed[-1]}; "
            f"expected {options.input_limit}",
        )
    return Batching(options, Merging(allowed, parameters.pad_variable_length_inputs))


def _queue_options(parameters: Any) -> QueueOptions:
    limit = parameters.max_batch_size.value if parameters.HasField("max_batch_size") else 1000
    timeout = parameters.batch_timeout_micros.value
    waiting = parameters.max_enqueued_batches.value if parameters.HasField("max_enqueued_batches") else 10
    splits = bool(parameters.enable_large_batch_splitting.value)
    execution = limit
    if splits and parameters.HasField("max_execution_batch_size"):
        execution = parameters.max_execution_batch_size.value
    if limit == 0:
        raise Refusal(INVALID_ARGUMENT, "input_batch_size_limit must be positive; was 0")
    if timeout < 0:
        raise Refusal(INVALID_ARGUMENT, f"batch_timeout_micros must be non-negative; was {timeout}")
    if waiting == 0 and splits:
        raise Refusal(INVALID_ARGUMENT, "max_enqueued_batches must be positive; was 0")
    if splits and not 0 < execution <= limit:
        text = "input_batch_size_limit must be greater than or equal to max_execution_batch_size."
        raise Refusal(INVALID_ARGUMENT, f"When enable_large_batch_splitting is true, {text}")
    return QueueOptions(limit, execution, timeout / 1e6, max(1, waiting), splits)


class BatchedServable:
    """A servable whose calls that feed and fetch the same tensors run together, whatever signatures they ask."""

    def __init__(
        self, servable: Servable, scheduler: Scheduler, options: Batching, *, owns_scheduler: bool = False
    ) -> None:
        """`owns_scheduler`: its threads end with this servable."""
        self._servable, self._scheduler, self._options = servable, scheduler, options
        self._owns_scheduler = owns_scheduler
        self._queues: dict[Tensors, Queue] = {}
        self._lock = threading.Lock()

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """By name."""
        return self._servable.signatures

    @property
    def signature_defs(self) -> bytes:
        """The serialised SignatureDefMap."""
        return self._servable.signature_defs

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        """The signature `name` (empty for the default); Refusal when there is none."""
        return self._servable.signature(name, code)

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs by alias, of this request's rows.

        Raises:
            Refusal: as `predict_util.cc`, the batching session and the session answer.
        """
        signature = self.signature(signature_name, FAILED_PRECONDITION)
        complete = prediction.completed(signature, inputs)
        wanted = prediction.wanted_outputs(signature, output_filter)
        feeds = {signature.inputs[alias].name: array for alias, array in complete.items()}
        if len(feeds) < len(complete):
            # Two aliases of one tensor, for which the session has words.
            return self._servable.run(signature_name, complete, wanted)
        tensors = {alias: signature.outputs[alias].name for alias in wanted}
        values = self.run_tensors(feeds, sorted(set(tensors.values())))
        return {alias: values[tensor] for alias, tensor in tensors.items()}

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        """Values by tensor, of this request's rows (batching_session.cc, InternalRun).

        Raises:
            Refusal: as the batching session and the session answer.
        """
        size = _rows(feeds)
        queue = self._queue((tuple(sorted(feeds)), tuple(sorted(fetches))))
        if queue is None:
            return self._servable.run_tensors(feeds, fetches)
        parts = [task.result() for task in queue.put(feeds, size)]
        if len(parts) == 1:
            return dict(parts[0])
        return {tensor: np.concatenate([part[tensor] for part in parts]) for tensor in fetches}

    def close(self) -> None:
        """Free it; no call runs any more."""
        with self._lock:
            for queue in self._queues.values():
                self._scheduler.remove(queue)
            self._queues = {}
        if self._owns_scheduler:
            self._scheduler.end()
        self._servable.close()

    def _queue(self, tensors: Tensors) -> Queue | None:
        with self._lock:
            if tensors not in self._queues:
                if len(self._queues) >= MOST_QUEUES:
                    return None
                batch = _Batch(self._servable, self._options.merging, tensors)
                self._queues[tensors] = self._scheduler.add(self._options.queue, batch.process)
            return self._queues[tensors]


class _Batch:
    """What is done with a batch of one queue."""

    def __init__(self, servable: Servable, merging: Merging, tensors: Tensors) -> None:
        self._servable, self._merging = servable, merging
        self._feeds, self._fetches = tensors

    def process(self, tasks: list[Task]) -> None:
        """Run the tasks together and tell each its rows, or what went wrong with all."""
        begun = time.perf_counter()
        for task in tasks:
            metrics.QUEUING_LATENCY.add("", of=(begun - task.enqueued) * 1e6)
        try:
            answers = self._run(tasks)
        except Exception as error:  # each waiting thread must hear of it, whatever it is
            for task in tasks:
                task.finish(None, error)
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.finish(answer)

    def _run(self, tasks: list[Task]) -> list[dict[str, np.ndarray]]:
        size = sum(task.size for task in tasks)
        padding = self._merging.padding(size)
        metrics.PADDING_SIZE.add(str(size + padding), of=padding)
        metrics.PROCESSED_BATCH_SIZE.add(of=size + padding)
        merged = self._merging.merge([task.inputs for task in tasks], padding, self._feeds)
        outputs = self._servable.run_tensors(merged, self._fetches)
        metrics.WRAPPED_RUN_COUNT.add()
        return split(outputs, [task.size for task in tasks], padding)


def _rows(inputs: Mapping[str, np.ndarray]) -> int:
    """Rows of a request. Refusal where inputs have none or differ (batching_util.h, ComputeTensorBatchSize)."""
    if not inputs:
        raise Refusal(INVALID_ARGUMENT, "Batching Run() must have at least one input tensor")
    sizes = []
    for array in inputs.values():
        if not array.ndim:
            raise Refusal(INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension")
        sizes.append(len(array))
        if sizes[-1] != sizes[0]:
            raise Refusal(INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size")
    for size in sizes:
        metrics.INPUT_BATCH_SIZE.add(of=size)
    return sizes[0]
