"""tensorflow_model_server's metrics, under its names, and the page that Prometheus reads.

The names are TensorFlow's (`/tensorflow/serving/request_count`); the page writes them with colons. Of TensorFlow's own
(`/tensorflow/core/...`) the page has those that tell how models were loaded.
"""

from __future__ import annotations

from ferryman.model_server.core import OK, name_of
from ferryman.model_server.instruments import Counter, Gauge, Histogram, exponential, mangled

PATH = "/monitoring/prometheus/metrics"
"""Where the page is, unless --monitoring_config_file says otherwise (`util/prometheus_exporter.cc`)."""

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


def count_run(model: str, api: str, seconds: float) -> None:
    """A model ran for a request (`util.cc:RecordRuntimeLatency`)."""
    RUNTIME_LATENCY.add(model, api, "TF1", of=seconds * 1e6)


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
        lines.append(f"# TYPE {mangled(metric.name)} {metric.kind}")
        lines.extend(metric.lines())
    return "\n".join(lines) + "\n"
