"""The Prometheus page: its path, its format, and what counts into which series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import saved_models
import warm_up
from rests_on import rests_on
from serving_client import Answered, Client, Model, as_text, code
from serving_target import FLAGS as SHARED
from serving_target import Target

EXPORTER = "util/prometheus_exporter.cc"
PAGE = f"{EXPORTER}:PrometheusExporter::GeneratePage"
SCALAR = f"{EXPORTER}:SerializeScalar"
HISTOGRAM = f"{EXPORTER}:SerializeHistogram"
PATH = "/monitoring/prometheus/metrics"
HTTP = "model_servers/http_server.cc"
REQUEST = f"{HTTP}:RestApiRequestDispatcher::ProcessRequest"
COUNT = "servables/tensorflow/util.cc:RecordModelRequestCount"
PREDICT = "model_servers/prediction_service_impl.cc:PredictionServiceImpl::Predict"
SERVING = ":tensorflow:serving:"


@pytest.fixture(scope="module")
def client(aim: Target, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with the page, and a model `m` and a `warm` one."""
    folder = tmp_path_factory.mktemp("monitored")
    (folder / "monitoring").write_text('prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }')
    warm_up.write(saved_models.counter(folder / "warm" / "1"), [warm_up.predict_log({"delta": 1.0})] * 3)
    (folder / "models.config").write_text(as_text(Model("m", models / "m", (1, 2)), Model("warm", folder / "warm")))
    started = aim.start(
        folder,
        f"--model_config_file={folder / 'models.config'}",
        f"--monitoring_config_file={folder / 'monitoring'}",
        *SHARED,
    )
    try:
        client = started.client()
        client.await_states("m", {1: "AVAILABLE", 2: "AVAILABLE"})
        yield client
    finally:
        started.stop()


def page(client: Client) -> Answered:
    return client.http("GET", PATH)


def value(client: Client, series: str) -> float:
    """The value of a series, written as on the page; 0 when it is not there."""
    found = [line for line in page(client).text.splitlines() if line.startswith(f"{series} ")]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def increase(client: Client, series: str, call: object) -> float:
    before = value(client, series)
    assert callable(call)
    call()
    return value(client, series) - before


@rests_on(PAGE, f"{HTTP}:ProcessPrometheusRequest")
def test_the_page_is_plain_text_that_ends_with_a_line_feed(client: Client) -> None:
    answered = page(client)
    assert answered.status == 200
    assert answered.headers["content-type"].startswith("text/plain")
    assert answered.text.endswith("\n")


@rests_on(SCALAR, HISTOGRAM, f"{EXPORTER}:GetPrometheusMetricName")
def test_every_line_is_a_type_or_a_series_of_the_type_above_it(client: Client) -> None:
    client.predict({"x": 1.0}, name="m")
    kind, name = "", ""
    for line in page(client).text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in {"counter", "gauge", "histogram", "untyped"}
            assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name)
            continue
        ends = r"(_bucket|_sum|_count)" if kind == "histogram" else ""
        assert re.fullmatch(rf"{re.escape(name)}{ends}\{{[^{{}}]*\}} \S+", line), line


@rests_on(COUNT, PREDICT)
def test_a_prediction_over_grpc_counts_once_as_ok(client: Client) -> None:
    series = f'{SERVING}request_count{{model_name="m",status="OK"}}'
    assert increase(client, series, lambda: client.predict({"x": 1.0}, name="m")) == 1
    assert f"# TYPE {SERVING}request_count counter" in page(client).text


@rests_on(COUNT, PREDICT)
def test_a_refused_prediction_counts_under_its_code_and_the_name_that_was_asked_for(client: Client) -> None:
    series = f'{SERVING}request_count{{model_name="no-one",status="NOT_FOUND"}}'
    assert increase(client, series, lambda: code(lambda: client.predict({"x": 1.0}, name="no-one"))) == 1


@rests_on(PREDICT, "servables/tensorflow/util.cc:RecordRequestLatency")
def test_latency_of_a_prediction_is_kept_per_api_and_entrypoint_and_only_when_it_went_well(client: Client) -> None:
    series = f'{SERVING}request_latency_count{{model_name="m",API="Predict",entrypoint="GRPC"}}'
    assert increase(client, series, lambda: client.predict({"x": 1.0}, name="m")) == 1
    assert increase(client, series, lambda: code(lambda: client.predict({}, name="m"))) == 0


@rests_on("servables/tensorflow/util.cc:RecordRuntimeLatency", "servables/tensorflow/predict_util.cc:RunPredict")
def test_the_time_of_the_session_call_is_kept_as_well(client: Client) -> None:
    series = f'{SERVING}runtime_latency_count{{model_name="m",API="Predict",runtime="TF1"}}'
    assert increase(client, series, lambda: client.predict({"x": 1.0}, name="m")) == 1


@rests_on(HISTOGRAM, "servables/tensorflow/util.cc:RecordRequestLatency")
def test_a_latency_histogram_has_33_bounds_from_10_microseconds_times_1_8_and_counts_up(client: Client) -> None:
    client.predict({"x": 1.0}, name="m")
    start = f'{SERVING}request_latency_bucket{{model_name="m",API="Predict",entrypoint="GRPC",le="'
    lines = [line.removeprefix(start) for line in page(client).text.splitlines() if line.startswith(start)]
    bounds = [line.partition('"')[0] for line in lines]
    counts = [int(line.rpartition(" ")[2]) for line in lines]
    assert bounds[:3] == ["10", "18", "32.4"]
    assert float(bounds[-2]) == pytest.approx(10 * 1.8 ** (len(bounds) - 2), rel=1e-5)
    assert (bounds[-1], len(bounds)) == ("+Inf", 34)
    assert counts == sorted(counts)
    assert counts[-1] == value(
        client, f'{SERVING}request_latency_count{{model_name="m",API="Predict",entrypoint="GRPC"}}'
    )


@rests_on(REQUEST)
def test_a_prediction_over_rest_counts_under_its_own_entrypoint(client: Client) -> None:
    def call() -> None:
        assert client.http("POST", "/v1/models/m:predict", {"instances": [1.0]}).status == 200

    assert increase(client, f'{SERVING}request_count{{model_name="m",status="OK"}}', call) == 1
    assert (
        increase(client, f'{SERVING}request_latency_count{{model_name="m",API="predict",entrypoint="REST"}}', call) == 1
    )


@rests_on(REQUEST, COUNT)
def test_a_status_over_rest_counts_as_a_request_and_one_over_grpc_does_not(client: Client) -> None:
    series = f'{SERVING}request_count{{model_name="m",status="OK"}}'
    assert increase(client, series, lambda: client.http("GET", "/v1/models/m")) == 1
    assert increase(client, series, lambda: client.status(name="m")) == 0
    assert increase(client, series, lambda: client.metadata("signature_def", name="m")) == 0


@rests_on(REQUEST, COUNT)
def test_a_refused_request_over_rest_counts_under_its_code(client: Client) -> None:
    series = f'{SERVING}request_count{{model_name="m",status="INVALID_ARGUMENT"}}'
    assert increase(client, series, lambda: client.http("POST", "/v1/models/m:predict", b"{")) == 1


@rests_on(
    "servables/tensorflow/util.cc:RecordRequestExampleCount",
    "servables/tensorflow/multi_inference.cc:RunMultiInference",
)
def test_examples_are_counted_in_all_and_per_request_and_only_by_multi_inference(client: Client) -> None:
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest

    request = MultiInferenceRequest()
    task = request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "m", "regress"
    warm_up.add_examples(request.input, [1.0, 2.0, 3.0])
    body = {"signature_name": "regress", "examples": [{"x": 1.0}]}
    total, count = (f'{SERVING}request_example_{kind}{{model="m"}}' for kind in ("count_total", "counts_count"))
    assert increase(client, total, lambda: client.prediction.MultiInference(request, timeout=20)) == 3
    assert increase(client, count, lambda: client.prediction.MultiInference(request, timeout=20)) == 1
    assert increase(client, total, lambda: client.http("POST", "/v1/models/m:regress", body)) == 0
    assert client.http("POST", "/v1/models/m:regress", body).status == 200


@rests_on("servables/tensorflow/saved_model_warmup_util.cc:RunSavedModelWarmupUntracked")
def test_warm_up_records_are_counted_per_version_folder(client: Client) -> None:
    pattern = rf'{SERVING}model_warmup_records_read\{{model_path="[^"]*/warm/1",status="OK"\}} 3'
    assert re.search(pattern, page(client).text)
    assert re.search(
        rf'{SERVING}model_warmup_latency_count\{{model_path="[^"]*/warm/1",status="OK"\}} 1', page(client).text
    )


@rests_on(PAGE)
def test_each_load_of_a_version_counts_under_its_folder(client: Client) -> None:
    pattern = r':tensorflow:cc:saved_model:load_attempt_count\{model_path="[^"]*/m/2",status="success"\} 1'
    assert re.search(pattern, page(client).text)


@rests_on(f"{HTTP}:CreateAndStartHttpServer")
def test_a_server_without_a_monitoring_file_has_no_page(server: Client) -> None:
    assert server.http("GET", PATH).status == 404


@rests_on(SCALAR, f"{EXPORTER}:SanitizeLabelValue")
def test_quotes_and_backslashes_in_a_label_are_escaped(client: Client) -> None:
    code(lambda: client.predict({"x": 1.0}, name='a"b\\c'))
    assert f'{SERVING}request_count{{model_name="a\\"b\\\\c",status="NOT_FOUND"}} 1' in page(client).text


@rests_on("model_servers/model_service_impl.cc:ModelServiceImpl::GetMetrics")
def test_a_reload_tells_how_much_a_counter_grew_meanwhile(client: Client, models: Path) -> None:
    held = Model("m", models / "m", (1, 2)), Model("warm", models / "m", (1,))
    response = client.reload(*held, metrics=["/tensorflow/serving/request_count"])
    assert [(metric.name, metric.int64_value_increase) for metric in response.metric] == [
        ("/tensorflow/serving/request_count", 0)
    ]
