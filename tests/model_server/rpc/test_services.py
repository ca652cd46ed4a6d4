"""What calls answer when something is wrong with them, over a real channel."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from rpc_bench import Running, refused, request

from ferryman.model_server import metrics
from ferryman.model_server.rpc.errors import LONGEST, shortened
from ferryman.serving.protocol import ModelServerConfig, PredictRequest, ReloadConfigRequest
from ferryman.serving.protocol.services import MODELS, PREDICTION

METHODS = [
    *(f"/{PREDICTION}/{name}" for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")),
    *(f"/{MODELS}/{name}" for name in ("GetModelStatus", "HandleReloadConfigRequest")),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("body", [b"\x0a\x05m", b"\x0f", b"\xff" * 40, b"\x0a\x03\x0a\x01\xff"], ids=repr)
def test_bytes_that_are_no_message_are_an_internal_error_and_the_next_call_is_answered(
    running: Running, method: str, body: bytes
) -> None:
    assert refused(lambda: running.send(method, body)) == ("INTERNAL", "")
    assert running.predict(2.5) == [7.5]


@pytest.mark.parametrize(
    ("signature", "code", "text"),
    [
        ("crash", "INTERNAL", "RuntimeError: two lines"),
        ("greedy", "RESOURCE_EXHAUSTED", "MemoryError: no room"),
    ],
)
def test_a_model_that_fails_is_told_in_one_line_and_the_next_call_is_answered(
    running: Running, signature: str, code: str, text: str
) -> None:
    assert refused(lambda: running.predict(1, signature=signature)) == (code, text)
    assert running.predict(2.5) == [7.5]


def claiming(*sizes: int, dtype: int = 1, name: str = "m") -> Any:
    """A request of a few bytes that says to have a tensor of these sizes."""
    asked = PredictRequest()
    asked.model_spec.name = name
    asked.inputs["x"].dtype = dtype
    for size in sizes:
        asked.inputs["x"].tensor_shape.dim.add().size = size
    return asked


@pytest.mark.parametrize(
    "asked",
    [
        claiming(2**31),
        claiming(2**62, 2**62),
        claiming(-1),
        claiming(*[1] * 300),
        claiming(1, dtype=0),
        claiming(1, dtype=20),
        claiming(1, dtype=99),
    ],
    ids=["many", "more", "negative", "deep", "none", "resource", "unheard"],
)
def test_a_tensor_that_cannot_be_is_an_invalid_argument_and_the_next_call_is_answered(
    running: Running, asked: Any
) -> None:
    assert refused(lambda: running.prediction.Predict(asked, timeout=20)) == (
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    )
    assert running.predict(2.5) == [7.5]


def test_the_model_is_looked_for_before_a_tensor_is_read(running: Running) -> None:
    answer = refused(lambda: running.prediction.Predict(claiming(-1, name="none"), timeout=20))
    assert answer == ("NOT_FOUND", "Servable not found for request: Latest(none)")


@pytest.mark.parametrize("method", METHODS[:5])
def test_a_call_without_a_model_is_an_invalid_argument(running: Running, method: str) -> None:
    text = "ModelSpec has no name specified." if method.endswith("MultiInference") else "Missing ModelSpec"
    assert refused(lambda: running.send(method, b"")) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    "method",
    [f"/{PREDICTION}/PredictStreamed", "/tensorflow.serving.SessionService/SessionRun", "/none/None"],
)
def test_a_call_that_is_not_registered_is_unimplemented(running: Running, method: str) -> None:
    assert refused(lambda: running.send(method, b""))[0] == "UNIMPLEMENTED"


def test_predictions_are_counted_by_model_and_status_and_timed_when_they_succeed(running: Running) -> None:
    def counted() -> tuple[int, int, float]:
        counts = metrics.REQUEST_COUNT.cells()
        times = metrics.REQUEST_LATENCY.cells().get(("m", "Predict", "GRPC"), [0.0])
        return counts.get(("m", "OK"), 0), counts.get(("m", "INTERNAL"), 0), sum(times[:-1])

    before = counted()
    running.predict(1)
    running.predict(2)
    refused(lambda: running.predict(1, signature="crash"))
    assert [after - earlier for after, earlier in zip(counted(), before, strict=True)] == [2, 1, 2]


def reload_of(*names: str, metric_names: tuple[str, ...] = ()) -> Any:
    asked = ReloadConfigRequest(config=ModelServerConfig(), metric_names=metric_names)
    asked.config.model_config_list.SetInParent()
    for name in names:
        asked.config.model_config_list.config.add(name=name, base_path=f"/{name}", model_platform="tensorflow")
    return asked


def test_a_reload_mirrors_its_status_and_tells_how_much_the_named_metrics_grew(running: Running) -> None:
    names = ("/tensorflow/serving/request_count", "/tensorflow/serving/none")
    running.predict(1)
    response = running.models.HandleReloadConfigRequest(reload_of("m", metric_names=names), timeout=20)
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert {metric.name: metric.int64_value_increase for metric in response.metric} == dict.fromkeys(names, 0)


def test_a_reload_that_is_refused_has_the_status_of_grpc(running: Running) -> None:
    assert refused(lambda: running.models.HandleReloadConfigRequest(reload_of("m", "m"), timeout=20)) == (
        "INVALID_ARGUMENT",
        "Illegal to list model m multiple times in config list",
    )
    code, text = refused(lambda: running.models.HandleReloadConfigRequest(ReloadConfigRequest(), timeout=20))
    assert (code, text[:36]) == ("INVALID_ARGUMENT", "ServerModelConfig type not supported")


def test_a_long_text_is_cut_by_its_bytes_and_never_within_a_character() -> None:
    assert shortened("ü" * (LONGEST // 2)) == "ü" * (LONGEST // 2)
    assert shortened("a" + "ü" * LONGEST) == "a" + "ü" * (LONGEST // 2 - 1) + "...TRUNCATED"


def test_a_message_far_beyond_grpcs_own_limit_is_answered(running: Running) -> None:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(running.address, options=options) as channel:
        body = request(*[1.5] * 3_000_000).SerializeToString()
        answer = channel.unary_unary(METHODS[0])(body, timeout=20)
    assert len(answer) > 12_000_000
