"""Counters and histograms under tensorflow_model_server's names, and the page that Prometheus reads.

The names are TensorFlow's (`/tensorflow/serving/request_count`); the page writes them with colons. Of TensorFlow's own
(`/tensorflow/core/...`) the page has those that tell how models were loaded.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from ferryman.model_server.core import OK, name_of

PATH = "/monitoring/prometheus/metrics"
"""Where the page is, unless --monitoring_config_file says otherwise (`util/prometheus_exporter.cc`)."""


PENDING = 1000
"""Measures that wait until they are sorted in; about 0.5 ms of work."""


MOST = 10_000
"""Combinations of label values that a metric tells apart: a client may ask for any name, and each costs memory for good."""

LONGEST = 1024
"""Characters of a label value that is kept."""

OTHERS = "(others)"
"""What stands for the first label value of a combination beyond that."""


Cell = TypeVar("Cell")


class Metric(Generic[Cell]):
    """A cell for each combination of label values. `add` may be called from many threads, and takes none of them long:
    what it was told waits in a queue until somebody reads, or until there is much of it."""

    kind: str

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name, self.labels = name, tuple(labels)
        # One without labels is there from the start (`Counter<0>`).
        self._cells: dict[tuple[str, ...], Cell] = {} if labels else {(): self._empty()}
        self._pending: deque[tuple[tuple[str, ...], float]] = deque()
        self._lock = threading.Lock()

    def cells(self) -> dict[tuple[str, ...], Cell]:
        """All cells, in the order of their label values."""
        with self._lock:
            self._sort_in()
            return {key: self._copied(cell) for key, cell in sorted(self._cells.items())}

    def lines(self) -> Iterator[str]:
        """Its lines of the page."""
        for values, cell in self.cells().items():
            yield from self._lines(_pairs(self.labels, values), cell)

    def _put(self, values: tuple[str, ...], amount: float) -> None:
        if values and len(values[0]) > LONGEST:
            values = (OTHERS, *values[1:])
        self._pending.append((values, amount))
        if len(self._pending) > PENDING and self._lock.acquire(blocking=False):
            try:
                self._sort_in()
            finally:
                self._lock.release()

    def _sort_in(self) -> None:
        while self._pending:
            values, amount = self._pending.popleft()
            cell = self._cells.get(values)
            if cell is None and len(self._cells) >= MOST:
                values = (OTHERS, *values[1:])
                cell = self._cells.get(values)
            self._cells[values] = self._grown(self._empty() if cell is None else cell, amount)

    def _empty(self) -> Cell:
        raise NotImplementedError

    def _copied(self, cell: Cell) -> Cell:
        return cell

    def _grown(self, cell: Cell, amount: float) -> Cell:
        raise NotImplementedError

    def _lines(self, pairs: str, cell: Cell) -> Iterator[str]:
        raise NotImplementedError


class Counter(Metric[int]):
    """Numbers that only grow."""

    kind = "counter"

    def __init__(self, name: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, labels)

    def add(self, *values: str, by: int = 1) -> None:
        """Count `by` more at the label values, which come in the order of the labels."""
        self._put(values, by)

    def _empty(self) -> int:
        return 0

    def _grown(self, cell: int, amount: float) -> int:
        return cell + int(amount)

    def _lines(self, pairs: str, cell: int) -> Iterator[str]:
        yield f"{_mangled(self.name)}{{{pairs}}} {cell}"


class Gauge(Counter):
    """A text for each combination of label values, of which the page tells only that it is there.

    Source: `util/prometheus_exporter.cc:SerializeScalar`, which writes a point's integer whatever its type.
    """

    kind = "gauge"

    def set(self, *values: str) -> None:
        """There is a text at the label values."""
        self._put(values, 0)


class Histogram(Metric[list[float]]):
    """How many measures fell into each bucket, and their sum at the end."""

    kind = "histogram"

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        super().__init__(name, labels)

    def add(self, *values: str, of: float) -> None:
        """One more measure `of` at the label values."""
        self._put(values, of)

    def _empty(self) -> list[float]:
        return [0.0] * (len(self.bounds) + 2)

    def _copied(self, cell: list[float]) -> list[float]:
        return cell.copy()

    def _grown(self, cell: list[float], amount: float) -> list[float]:
        # A measure that is a bound counts above it. Source: tsl/lib/histogram/histogram.cc, Histogram::Add.
        cell[bisect_right(self.bounds, amount)] += 1
        cell[-1] += amount
        return cell

    def _lines(self, pairs: str, cell: list[float]) -> Iterator[str]:
        """A bucket counts what is in the ones before, too."""
        name, before, seen = _mangled(self.name), f"{pairs}," if pairs else "", 0
        for bound, count in zip([*map(_number, self.bounds), "+Inf"], cell[:-1], strict=True):
            seen += int(count)
            yield f'{name}_bucket{{{before}le="{bound}"}} {seen}'
        yield f"{name}_sum{{{pairs}}} {_number(cell[-1])}"
        yield f"{name}_count{{{pairs}}} {seen}"


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """`count` bounds from `scale` on, each `growth` times the one before (`monitoring::Buckets::Exponential`)."""
    bounds = [scale]
    while len(bounds) < count:
        bounds.append(bounds[-1] * growth)
    return tuple(bounds)


MICROSECONDS = exponential(10, 1.8, 33)
"""10 us to 25 minutes."""

QUEUED = exponential(100, 1.2, 52)
"""100 us to a second."""

# servables/tensorflow/util.cc
REQUEST_COUNT = Counter("/tensorflow/serving/request_count", ("model_name", "status"))
REQUEST_LATENCY = Histogram("/tensorflow/serving/request_latency", ("model_name", "API", "entrypoint"), MICROSECONDS)
RUNTIME_LATENCY = Histogram("/tensorflow/serving/runtime_latency", ("model_name", "API", "runtime"), MICROSECONDS)
EXAMPLE_COUNTS = Histogram("/tensorflow/serving/request_example_counts", ("model",), exponential(1, 2, 15))
EXAMPLE_COUNT_TOTAL = Counter("/tensorflow/serving/request_example_count_total", ("model",))

# servables/tensorflow/saved_model_warmup_util.cc
WARMUP_LATENCY = Histogram("/tensorflow/serving/model_warmup_latency", ("model_path", "status"), MICROSECONDS)
WARMUP_RECORDS_READ = Counter("/tensorflow/serving/model_warmup_records_read", ("model_path", "status"))

# servables/tensorflow/machine_learning_metadata.cc; core/request_logger.cc
MLMD_MAP = Gauge("/tensorflow/serving/mlmd_map", ("model_name", "version"))
REQUEST_LOG_COUNT = Counter("/tensorflow/serving/request_log_count", ("model_name", "status_code"))

# batching/batching_session.cc, batching_util.h
QUEUING_LATENCY = Histogram("/tensorflow/serving/batching_session/queuing_latency", ("thread_pool_name",), QUEUED)
WRAPPED_RUN_COUNT = Counter("/tensorflow/serving/batching_session/wrapped_run_count")
PADDING_SIZE = Histogram(
    "/tensorflow/serving/batching_session/padding_size", ("execution_batch_size",), exponential(1, 2, 14)
)
INPUT_BATCH_SIZE = Histogram("/tensorflow/serving/batching_session/input_batch_size", (), exponential(1, 2, 14))
PROCESSED_BATCH_SIZE = Histogram("/tensorflow/serving/batching_session/processed_batch_size", (), exponential(1, 2, 14))

# tensorflow/cc/saved_model/loader.cc: a path holds the version, so that these alone can be told apart by version.
LOAD_ATTEMPT_COUNT = Counter("/tensorflow/cc/saved_model/load_attempt_count", ("model_path", "status"))
"""Of each try; the status is `success` or `fail`."""
LOAD_LATENCY = Counter("/tensorflow/cc/saved_model/load_latency", ("model_path",))
"""Microseconds, of loads that succeeded."""
LOAD_LATENCY_BY_STAGE = Histogram(
    "/tensorflow/cc/saved_model/load_latency_by_stage", ("model_path", "stage"), MICROSECONDS
)
"""The stages are `restore_graph` and `init_graph`."""

METRICS: tuple[Counter | Histogram, ...] = (
    *(REQUEST_COUNT, REQUEST_LATENCY, RUNTIME_LATENCY, EXAMPLE_COUNTS, EXAMPLE_COUNT_TOTAL),
    *(WARMUP_LATENCY, WARMUP_RECORDS_READ, MLMD_MAP, REQUEST_LOG_COUNT),
    *(QUEUING_LATENCY, WRAPPED_RUN_COUNT, PADDING_SIZE, INPUT_BATCH_SIZE, PROCESSED_BATCH_SIZE),
    *(LOAD_ATTEMPT_COUNT, LOAD_LATENCY, LOAD_LATENCY_BY_STAGE),
)


def count_examples(model: str, examples: int) -> None:
    """A request of the model had so many tf.Examples (`util.cc:RecordRequestExampleCount`: MultiInference alone)."""
    EXAMPLE_COUNTS.add(model, of=examples)
    EXAMPLE_COUNT_TOTAL.add(model, by=examples)


def count_request(model: str, api: str, entrypoint: str, code: int, seconds: float) -> None:
    """A request was answered with a code; its time counts when it went well.

    Source: `util.cc:RecordRequestLatency` and `RecordModelRequestCount`, as both entrypoints call them.
    """
    if code == OK:
        REQUEST_LATENCY.add(model, api, entrypoint, of=seconds * 1e6)
    REQUEST_COUNT.add(model, name_of(code))


def counted(name: str) -> int:
    """What a reload tells of a metric: the value at its first label values; 0 of a histogram, or when there is none.

    Source: `model_servers/model_service_impl.cc:GetMetrics`.
    """
    found = next((metric for metric in METRICS if metric.name == name), None)
    return next(iter(found.cells().values()), 0) if isinstance(found, Counter) else 0


def prometheus_text() -> str:
    """The page, to the letter as `util/prometheus_exporter.cc:GeneratePage` writes it: no help lines, by name."""
    lines = []
    for metric in sorted(METRICS, key=lambda metric: metric.name):
        lines.append(f"# TYPE {_mangled(metric.name)} {metric.kind}")
        lines.extend(metric.lines())
    return "\n".join(lines) + "\n"


def _mangled(name: str) -> str:
    return re.sub("[^a-zA-Z0-9_]", ":", name)


def _pairs(labels: Sequence[str], values: Sequence[str]) -> str:
    return ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _escaped(value: str) -> str:
    # The real page leaves a newline as it is, and a model name can hold one: it must not begin a line of its own.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    # Six digits, as absl::StrCat writes a double.
    return f"{value:.6g}"
