"""REST with --rest_api_timeout_in_ms: a model that takes longer is stopped, and only over REST."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from request_models import save_slow_model
from rests_on import rests_on
from serving_client import Client, Model

FLAGS = ("--rest_api_timeout_in_ms=200",)

pytestmark = pytest.mark.usefixtures("own_process")

LONG = 100_000.0
"""Steps that take a second, or some on a busy machine."""


@rests_on(
    "model_servers/http_rest_api_handler.cc:HttpRestApiHandler::HttpRestApiHandler",
    "model_servers/prediction_service_impl.cc:PredictionServiceImpl::Predict",
    "model_servers/http_server.cc:ToHTTPStatusCode",
)
def test_a_model_that_takes_too_long_is_a_gateway_timeout_over_rest_and_answered_over_grpc(
    server: Client, scratch: Path
) -> None:
    save_slow_model(scratch / "slow" / "1")
    server.hold(Model("slow", scratch / "slow", (1,)))
    assert server.http("POST", "/v1/models/slow:predict", {"inputs": 5.0}).body == {"outputs": 5.0}
    began = time.monotonic()
    answer = server.http("POST", "/v1/models/slow:predict", {"inputs": 100 * LONG})
    assert answer.status == 504
    assert set(answer.body) == {"error"}
    assert time.monotonic() - began < 5
    began = time.monotonic()
    assert server.predict({"x": np.array(LONG, np.float32)}, name="slow").outputs["y"].float_val[0] == LONG
    assert time.monotonic() - began > 0.2
