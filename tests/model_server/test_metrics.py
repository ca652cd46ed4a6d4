"""The metrics and the page that Prometheus reads, to the letter."""

from __future__ import annotations

import threading
import time

import pytest

from ferryman.model_server import instruments, metrics
from ferryman.model_server.core import NOT_FOUND, OK
from ferryman.model_server.instruments import Counter, Gauge, Histogram, exponential
from ferryman.model_server.metrics import count_request, prometheus_text


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The metrics of the page, to be named by the test."""
    named: list[object] = []
    monkeypatch.setattr(metrics, "METRICS", named)
    return named


def test_the_page_is_what_the_real_exporter_writes(alone: list[object]) -> None:
    sizes, requests = (
        Histogram("/tensorflow/b", ("model", "API"), (1, 2.5)),
        Counter("/tensorflow/a-b/c_1", ("status",)),
    )
    alone += [sizes, requests, Gauge("/tensorflow/c", ("model_name",)), Counter("/none")]
    for size in (0.5, 2.5, 7):
        sizes.add("m", "Predict", of=size)
    requests.add("OK")
    requests.add("ABORTED", by=41)
    alone[2].set("m")  # type: ignore[attr-defined]
    assert prometheus_text() == (
        "# TYPE :none counter\n"
        ":none{} 0\n"
        "# TYPE :tensorflow:a:b:c_1 counter\n"
        ':tensorflow:a:b:c_1{status="ABORTED"} 41\n'
        ':tensorflow:a:b:c_1{status="OK"} 1\n'
        "# TYPE :tensorflow:b histogram\n"
        ':tensorflow:b_bucket{model="m",API="Predict",le="1"} 1\n'
        ':tensorflow:b_bucket{model="m",API="Predict",le="2.5"} 1\n'
        ':tensorflow:b_bucket{model="m",API="Predict",le="+Inf"} 3\n'
        ':tensorflow:b_sum{model="m",API="Predict"} 10\n'
        ':tensorflow:b_count{model="m",API="Predict"} 3\n'
        "# TYPE :tensorflow:c gauge\n"
        ':tensorflow:c{model_name="m"} 0\n'
    )


def test_a_histogram_without_labels_is_there_before_its_first_measure(alone: list[object]) -> None:
    alone.append(Histogram("/sizes", (), (1,)))
    assert prometheus_text() == (
        '# TYPE :sizes histogram\n:sizes_bucket{le="1"} 0\n:sizes_bucket{le="+Inf"} 0\n:sizes_sum{} 0\n:sizes_count{} 0\n'
    )


def test_a_request_counts_under_the_name_of_its_code_and_its_time_when_it_went_well() -> None:
    for code in (OK, NOT_FOUND, 99, -1):
        count_request("timed", "Predict", "GRPC", code, 0.00002)
    statuses = {status: count for (model, status), count in metrics.REQUEST_COUNT.cells().items() if model == "timed"}
    assert statuses == {"OK": 1, "NOT_FOUND": 1, "UNKNOWN": 2}
    *counts, total = metrics.REQUEST_LATENCY.cells()["timed", "Predict", "GRPC"]
    assert (sum(counts), total) == (1, pytest.approx(20))


def test_names_beyond_a_number_and_a_length_are_counted_together(
    alone: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "MOST", 2)
    counter = Counter("/requests", ("model_name", "status"))
    alone.append(counter)
    for name in ("x" * instruments.LONGEST, "b", "c", "d", "b", "y" * (instruments.LONGEST + 1)):
        counter.add(name, "NOT_FOUND")
    assert counter.cells() == {
        (instruments.OTHERS, "NOT_FOUND"): 3,
        ("b", "NOT_FOUND"): 2,
        ("x" * instruments.LONGEST, "NOT_FOUND"): 1,
    }


def test_the_name_of_a_model_cannot_write_a_line_of_its_own(alone: list[object]) -> None:
    counter = Counter("/requests", ("model_name",))
    alone.append(counter)
    counter.add('a\\b"} 7\nforged{x="')
    assert prometheus_text().splitlines()[1:] == [':requests{model_name="a\\\\b\\"} 7\\nforged{x=\\""} 1']


def test_numbers_have_six_digits_as_the_real_server_writes_them(alone: list[object]) -> None:
    latency = Histogram("/latency", (), exponential(10, 1.8, 33))
    alone.append(latency)
    latency.add(of=1234567)
    page = prometheus_text()
    bounds = [line.split('le="')[1].split('"')[0] for line in page.splitlines() if "le=" in line]
    assert len(bounds) == 34
    assert (bounds[:4], bounds[-2:]) == (["10", "18", "32.4", "58.32"], ["1.47476e+09", "+Inf"])
    assert ":latency_sum{} 1.23457e+06" in page


def test_every_metric_of_the_real_server_has_its_name_its_labels_and_its_number_of_buckets() -> None:
    known = {metric.name: (metric.labels, len(getattr(metric, "bounds", ()))) for metric in metrics.METRICS}
    serving, batching, loader = (
        "/tensorflow/serving/",
        "/tensorflow/serving/batching_session/",
        "/tensorflow/cc/saved_model/",
    )
    assert known == {
        f"{serving}request_count": (("model_name", "status"), 0),
        f"{serving}request_latency": (("model_name", "API", "entrypoint"), 33),
        f"{serving}runtime_latency": (("model_name", "API", "runtime"), 33),
        f"{serving}request_example_counts": (("model",), 15),
        f"{serving}request_example_count_total": (("model",), 0),
        f"{serving}model_warmup_latency": (("model_path", "status"), 33),
        f"{serving}model_warmup_records_read": (("model_path", "status"), 0),
        f"{serving}mlmd_map": (("model_name", "version"), 0),
        f"{serving}request_log_count": (("model_name", "status_code"), 0),
        f"{batching}queuing_latency": (("thread_pool_name",), 52),
        f"{batching}wrapped_run_count": ((), 0),
        f"{batching}padding_size": (("execution_batch_size",), 14),
        f"{batching}input_batch_size": ((), 14),
        f"{batching}processed_batch_size": ((), 14),
        f"{loader}load_attempt_count": (("model_path", "status"), 0),
        f"{loader}load_latency": (("model_path",), 0),
        f"{loader}load_latency_by_stage": (("model_path", "stage"), 33),
    }


def test_no_measure_of_many_threads_is_lost_while_the_page_is_read(alone: list[object]) -> None:
    counter, histogram = Counter("/c", ("n",)), Histogram("/h", ("n",), (1, 2))
    alone += [counter, histogram]

    def work() -> None:
        for number in range(5000):
            counter.add("x")
            histogram.add("x", of=number % 3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        prometheus_text()
    assert counter.cells() == {("x",): 20000}
    (cell,) = histogram.cells().values()
    assert (sum(cell[:-1]), cell[-1]) == (20000, sum(number % 3 for number in range(5000)) * 4)


def test_a_measure_costs_a_request_a_few_microseconds_at_most() -> None:
    histogram = Histogram("/h", ("model_name", "API", "entrypoint"), exponential(10, 1.8, 33))
    times = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(5000):
            histogram.add("m", "Predict", "GRPC", of=1234)
        times.append((time.thread_time() - began) / 5000)
    # 1 us where nothing else runs; the rest is for a machine that is busy.
    assert min(times) < 10e-6


def test_a_reload_tells_the_first_value_of_a_counter_and_nought_of_anything_else(alone: list[object]) -> None:
    counter, histogram = Counter("/c", ("n",)), Histogram("/h", (), (1,))
    alone += [counter, histogram]
    counter.add("b", by=2)
    counter.add("a", by=3)
    histogram.add(of=5)
    assert [metrics.counted(name) for name in ("/c", "/h", "/unknown")] == [3, 0, 0]
