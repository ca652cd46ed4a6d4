"""Messages and bodies that are broken, deep or huge are refused at once, and the next request is answered."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from golden_requests import PATH, clean
from rests_on import rests_on
from serving_client import Client, code, refusal

START = "model_servers/server.cc:Server::BuildAndStart"
PREDICT = "servables/tensorflow/predict_util.cc:PreProcessPrediction"
PARSE = "util/json_tensor.cc:ParseJson"


pytestmark = pytest.mark.usefixtures("alive")


METHODS = [
    f"/tensorflow.serving.PredictionService/{name}"
    for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
] + [f"/tensorflow.serving.ModelService/{name}" for name in ("GetModelStatus", "HandleReloadConfigRequest")]

GARBAGE = {
    "cut": b"\x0a\xff",
    "wrong wire type": b"\x0b" * 200,
    "endless varint": b"\xff" * 64,
    "nested too deep": b"\x0b" * 100_000,
    "a name that is no UTF-8": b"\x0a\x04\x0a\x02\xff\xfe",
    "length beyond the end": b"\x0a\xff\xff\xff\xff\x07abc",
}


@rests_on(START)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_bytes_that_are_no_message_are_refused_by_every_method(served: Client, garbage: str) -> None:
    for method in METHODS:
        call = served.channel.unary_unary(method)
        # Bytes that only protobuf's C++ takes may be a message without a model.
        assert refusal(lambda call=call: call(GARBAGE[garbage], timeout=20)) == ("INTERNAL", ""), method


@rests_on(PREDICT)
@pytest.mark.parametrize(
    ("dtype", "dims"), [(1, [2**31]), (1, [2**20, 2**12]), (7, [2**31]), (9, [2**62]), (10, [2**40])], ids=str
)
@pytest.mark.parametrize("fields", [{}, {"given": True}], ids=["no value", "one value"])
def test_a_small_message_that_claims_a_huge_tensor_is_refused_at_once(
    served: Client, dtype: int, dims: list[int], fields: dict[str, Any]
) -> None:
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    one = {1: {"float_val": [1]}, 7: {"string_val": [b"a"]}, 9: {"int64_val": [1]}, 10: {"bool_val": [True]}}
    proto = TensorProto(dtype=dtype, **(one[dtype] if fields else {}))
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    signature = {1: "", 7: "text_y", 9: "copy_int64", 10: "copy_bool"}[dtype]
    began = time.monotonic()
    seen = code(lambda: served.predict({"x": proto}, name="m", signature=signature))
    assert seen in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert time.monotonic() - began < 5


# REST


@rests_on("util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::UncompressGzipBody")
def test_a_body_that_grows_beyond_100_megabytes_counts_as_empty(served: Client) -> None:
    bomb = gzip.compress(b" " * 300_000_000, 1)
    began = time.monotonic()
    answer = served.http("POST", PATH, bomb, Content_Encoding="gzip")
    assert (answer.status, answer.body) == (400, {"error": "JSON Parse error: The document is empty"})
    assert time.monotonic() - began < 10


DEEP = 100_000


@rests_on(PARSE, "util/json_tensor.cc:FillPredictRequestFromJson")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"instances":[1.5],"nested":' + b"[" * DEEP + b"]" * DEEP + b"}", 200),
        (b'{"instances":[1.5],"nested":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", 200),
        (b'{"signature_name":' + b"[" * DEEP + b"]" * DEEP + b"}", 400),
        (b'{"instances":' + b"[" * DEEP + b"1" + b"]" * DEEP + b"}", 400),
        (b'{"inputs":' + b"[" * DEEP + b"1" + b"]" * DEEP + b"}", 400),
        (b'{"instances":' + b'[{"x":' * DEEP + b"1" + b"}]" * DEEP + b"}", 400),
        (b"[" * DEEP, 400),
        (b'{"a":' * DEEP, 400),
    ],
    ids=["lists", "objects", "signature", "instances", "inputs", "rows", "open lists", "open objects"],
)
def test_json_of_100_000_levels_is_read_and_refused_only_where_it_counts(
    served: Client, body: bytes, expected: int
) -> None:
    answer = served.http("POST", PATH, body)
    clean(answer.raw)
    assert answer.status == expected


@rests_on(PARSE)
@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [' + b"9" * 2_000_000 + b"]}",
        b'{"instances": [1e999999999999]}',
        b'{"instances": ["' + b"\\u0000" * 300_000 + b'"]}',
        b'{"instances": ' + b"[1" + b",1" * 500_000 + b',"x"]}',
        b'{"' + b"a" * 3_000_000 + b'": 1}',
        b'{"signature_name": "' + b"s" * 3_000_000 + b'", "instances": [1]}',
    ],
    ids=["digits", "exponent", "escapes", "the last of 500,000", "a key", "a signature"],
)
def test_megabytes_of_nonsense_are_refused_within_seconds(served: Client, body: bytes) -> None:
    began = time.monotonic()
    answer = served.http("POST", PATH, body)
    assert answer.status == 400
    assert clean(answer.raw).startswith(b'{\n    "error": "')
    assert time.monotonic() - began < 5


@rests_on(PARSE)
def test_200_000_unknown_keys_do_not_matter(served: Client) -> None:
    body = b"{" + b"".join(b'"k%d": 1, ' % number for number in range(200_000)) + b'"instances": [1.5]}'
    began = time.monotonic()
    assert served.http("POST", PATH, body).body == {"predictions": [15.0]}
    assert time.monotonic() - began < 5
