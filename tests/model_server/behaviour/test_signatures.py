"""Which signatures of a model may be asked for, with --enable_signature_method_name_check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import saved_models
from rests_on import rests_on
from serving_client import Client, Model, refusal

FLAGS = ("--enable_signature_method_name_check=true",)

RUN = "servables/tensorflow/predict_util.cc:RunPredict"
VERIFY = "servables/tensorflow/predict_util.cc:VerifySignature"

X = {"x": np.float32(2)}


@pytest.fixture
def named(own_process: None, server: Client, scratch: Path, m: Model) -> Iterator[Client]:
    """A model `named`, y = x + 1: signatures of each method, one of another, and one whose name TensorFlow could have."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, name="x")
        methods = {
            "serving_default": "predict",
            "r": "regress",
            "c": "classify",
            "foreign": "other",
            "__own": "predict",
        }
        signatures = {
            name: saved_models.signature({"x": x}, {"y": x + 1.0}, method) for name, method in methods.items()
        }
        saved_models.save(session, scratch / "1", signatures)
    server.hold(m, Model("named", scratch, (1,)))
    yield server
    server.reload(m)
    server.await_states("named", {1: "END"})


@rests_on(VERIFY)
def test_predict_wants_a_signature_of_one_of_the_three_methods(named: Client) -> None:
    for signature in ("", "r", "c"):
        assert named.predict(X, name="named", signature=signature).outputs["y"].float_val[0] == 3.0
    text = (
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: tensorflow/serving/other"
    )
    assert refusal(lambda: named.predict(X, name="named", signature="foreign")) == ("INTERNAL", text)
    # Before the inputs are looked at.
    assert refusal(lambda: named.predict({}, name="named", signature="foreign")) == ("INTERNAL", text)
    answered = named.http("POST", "/v1/models/named:predict", {"signature_name": "foreign", "inputs": 2.0})
    assert (answered.status, answered.body) == (500, {"error": text})


@rests_on(RUN, "util/json_tensor.cc:FillPredictRequestFromJson")
def test_a_name_that_begins_with_two_underscores_is_one_as_any_other(named: Client) -> None:
    assert named.predict(X, name="named", signature="__own").outputs["y"].float_val[0] == 3.0
    answered = named.http("POST", "/v1/models/named:predict", {"signature_name": "__own", "inputs": 2.0})
    assert (answered.status, answered.body) == (200, {"outputs": 3.0})
