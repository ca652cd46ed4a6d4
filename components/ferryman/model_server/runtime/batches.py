"""Queues of tasks that wait for a batch, and the threads that take batches from them in turn.

Source, whose limits and texts these are: tensorflow/core/kernels/batching_util/shared_batch_scheduler.h (2.21), with
one priority, as TensorFlow Serving uses it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT, UNAVAILABLE, Refusal

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class QueueOptions:
    """Limits of one queue; the defaults are SharedBatchScheduler::QueueOptions'."""

    input_limit: int = 1000
    """Rows of one request."""

    execution_limit: int = 1000
    """Rows of one batch."""

    timeout: float = 0.0
    """Seconds that a batch waits for more; 0 lets it go as soon as a thread is free."""

    max_batches: int = 10
    """Batches that wait."""

    split: bool = False
    """Whether a request of more rows than a batch has room for is cut in pieces."""


@dataclass(eq=False)
class Task:
    """Rows of one request that wait, or a piece of them."""

    inputs: Arrays
    size: int
    enqueued: float = field(default_factory=time.perf_counter)
    outputs: Arrays | None = None
    error: Exception | None = None
    done: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.done.acquire()

    def finish(self, outputs: Arrays | None, error: Exception | None = None) -> None:
        """Tell the thread that waits."""
        self.outputs, self.error = outputs, error
        self.done.release()

    def result(self) -> Arrays:
        """Wait for the outputs; raises what went wrong."""
        with self.done:
            if self.error is not None:
                raise self.error
        return self.outputs or {}


class Queue:
    """Tasks that may run together, in batches: the last is open, the others are full."""

    def __init__(self, scheduler: Scheduler, options: QueueOptions, process: Callable[[list[Task]], None]) -> None:
        self.options, self.process = options, process
        self._scheduler = scheduler
        self._batches: deque[list[Task]] = deque([[]])
        self._open_size, self._opened = 0, 0.0
        self.closed = False

    def put(self, inputs: Arrays, size: int) -> list[Task]:
        """The tasks that the rows became, which wait now.

        Raises:
            Refusal: too many rows, or too many that wait.
        """
        with self._scheduler.changed:
            self._check(size)
            tasks = self._tasks(inputs, size)
            for task in tasks:
                if self._open_size + task.size > self.options.execution_limit:
                    self._start_batch()
                if not self._batches[-1]:
                    self._opened = time.perf_counter()
                self._batches[-1].append(task)
                self._open_size += task.size
            self._scheduler.changed.notify()
        return tasks

    def take(self, now: float) -> list[Task] | None:
        """The next batch that may run now. The caller holds the scheduler's lock."""
        if len(self._batches) == 1 and self._batches[-1] and now >= self.due():
            self._start_batch()
        return self._batches.popleft() if len(self._batches) > 1 else None

    def due(self) -> float:
        """When the first batch may run, by `perf_counter`; infinity when nothing waits."""
        if len(self._batches) > 1:
            return 0.0
        if not self._batches[-1]:
            return float("inf")
        full = self._open_size >= self.options.execution_limit
        return 0.0 if full or self.closed else self._opened + self.options.timeout

    def _check(self, size: int) -> None:
        limit = self.options.input_limit
        if size > limit:
            raise Refusal(INVALID_ARGUMENT, f"Task size {size} is larger than maximum input batch size {limit}")
        full = "The batch scheduling queue to which this task was submitted is full; "
        waiting, most = len(self._batches), self.options.max_batches
        if self.options.split:
            room = (most - waiting + 1) * self.options.execution_limit - self._open_size
            if size > room:
                text = f"task size is {size} but scheduling capacity is only {room} (num_enqueued_batches={waiting}, "
                text += f"max_enqueued_batches={most}, open_batch_size={self._open_size}, "
                raise Refusal(UNAVAILABLE, f"{full}{text}max_execution_batch_size={self.options.execution_limit})")
        elif self._open_size + size > limit and waiting >= most:
            text = f"{full}currently {waiting} batches enqueued and max_enqueued_batches is {most}"
            raise Refusal(UNAVAILABLE, text)

    def _tasks(self, inputs: Arrays, size: int) -> list[Task]:
        """The whole, or pieces that fill the open batch and then whole ones (input_split_metadata.cc)."""
        room, limit = self.options.execution_limit - self._open_size, self.options.execution_limit
        if size <= room or not self.options.split:
            return [Task(inputs, size)]
        cuts = sorted({0, *range(room, size, limit), size})
        return [
            Task({name: array[start:stop] for name, array in inputs.items()}, stop - start)
            for start, stop in pairwise(cuts)
        ]

    def _start_batch(self) -> None:
        self._batches.append([])
        self._open_size = 0


class Scheduler:
    """Threads that run the batches of many queues, one batch of each in turn."""

    def __init__(self, threads: int, name: str = "batch_threads") -> None:
        """Start the threads; Refusal when there is none."""
        if threads < 1:
            raise Refusal(INVALID_ARGUMENT, f"num_batch_threads must be positive; was {threads}")
        self.changed = threading.Condition()
        self._queues: deque[Queue] = deque()
        self._ended = False
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}_{number}", daemon=True).start()

    def add(self, options: QueueOptions, process: Callable[[list[Task]], None]) -> Queue:
        """A queue whose batches `process` runs."""
        queue = Queue(self, options, process)
        with self.changed:
            self._queues.append(queue)
        return queue

    def remove(self, queue: Queue) -> None:
        """A queue into which nobody puts any more; what is in it still runs."""
        with self.changed:
            queue.closed = True
            if queue.due() == float("inf"):
                self._queues.remove(queue)
            self.changed.notify()

    def end(self) -> None:
        """End the threads once nothing waits."""
        with self.changed:
            self._ended = True
            self.changed.notify_all()

    def _run(self) -> None:
        while True:
            with self.changed:
                found = self._next()
                while found is None:
                    if self._ended:
                        return
                    self.changed.wait(self._patience())
                    found = self._next()
            queue, batch = found
            queue.process(batch)
            del found, queue, batch

    def _next(self) -> tuple[Queue, list[Task]] | None:
        now = time.perf_counter()
        for _ in range(len(self._queues)):
            queue = self._queues.popleft()
            batch = queue.take(now)
            if not (queue.closed and queue.due() == float("inf")):
                self._queues.append(queue)
            if batch:
                return queue, batch
        return None

    def _patience(self) -> float | None:
        """Seconds until a batch may run that does not yet; None when nothing waits."""
        due = min((queue.due() for queue in self._queues), default=float("inf"))
        return None if due == float("inf") else max(0.0, due - time.perf_counter())
