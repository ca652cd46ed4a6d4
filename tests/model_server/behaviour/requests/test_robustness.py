"""What is broken, hostile or too large is refused; the server lives, answers the next request, and shows no traceback."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import saved_models
from raw_http import connect, drained, exchange, request, status
from rests_on import rests_on
from serving_client import Client, Model, code, refusal

EVENT = "util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest"
PROCESS = "model_servers/http_server.cc:RestApiRequestDispatcher::ProcessRequest"
PARSE = "util/json_tensor.cc:ParseJson"
START = "model_servers/server.cc:Server::BuildAndStart"
PREDICT = "servables/tensorflow/predict_util.cc:PreProcessPrediction"

PATH = "/v1/models/m/versions/1:predict"
BODY = b'{"instances": [1.5]}'
X = np.array([1.5], np.float32)


@pytest.fixture(autouse=True)
def alive(served: Client) -> Iterator[None]:
    """After every case, both ports answer as before."""
    yield
    answers_right(served)


def answers_right(served: Client) -> None:
    """One golden request over each transport."""
    assert list(served.predict({"x": X}, name="m", version=1).outputs["y"].float_val) == [15.0]
    assert served.http("POST", PATH, BODY).body == {"predictions": [15.0]}


def clean(answer: bytes) -> bytes:
    """The answer, which shows nothing of the program's inside."""
    assert b"Traceback" not in answer
    assert b'File "' not in answer
    return answer


# gRPC

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
        seen, text = refusal(lambda call=call: call(GARBAGE[garbage], timeout=20))
        assert seen in {"INTERNAL", "INVALID_ARGUMENT"}, method
        clean(text.encode())


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


HELLO = bytes.fromhex("16030100a5010000a10303") + b"\x07" * 160
"""The beginning of a TLS handshake."""

NOISE = {
    "TLS": HELLO,
    "zeros": b"\0" * 5000,
    "an HTTP/1.1 request": b"GET /v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2's preface and noise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 500,
    "a frame of 16 MB": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x00\x00\x00\x00\x00\x00" + b"a" * 100,
    "a line without an end": b"A" * 1_000_000,
    "a line's ends": b"\r\n" * 10_000,
    "an unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "no method": b" / HTTP/1.1\r\n\r\n",
    "a colon": b"GET /v1/models/m HTTP/1.1\r\n: :\r\n:\r\n\r\n",
    "a header without a colon": b"GET /v1/models/m HTTP/1.1\r\nHost\r\n\r\n",
    "NUL in a header": b"GET /v1/models/m HTTP/1.1\r\nHost: a\0b\r\nX\0: y\r\n\r\n",
}


@rests_on(START, EVENT)
@pytest.mark.parametrize("noise", NOISE)
def test_noise_on_either_port_disturbs_nobody(served: Client, noise: str) -> None:
    for address in (served.address, served.rest):
        with connect(address, limit=1.0) as connection:
            try:
                connection.sendall(NOISE[noise])
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                continue
            clean(drained(connection))


# Connections


@rests_on(START, EVENT)
def test_a_thousand_idle_connections_leave_room_for_requests(served: Client) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with ExitStack() as opened:
        for address in [served.rest] * 500 + [served.address] * 500:
            opened.enter_context(connect(address))
        for _ in range(3):
            answers_right(served)


@rests_on(EVENT)
def test_clients_that_send_slowly_hold_up_nobody(served: Client) -> None:
    sent = request("POST", PATH, BODY)
    began = time.monotonic()
    with ExitStack() as opened:
        slow = [opened.enter_context(connect(served.rest)) for _ in range(60)]
        for position in range(0, len(sent) - 1, 40):
            for connection in slow:
                connection.sendall(sent[position : min(position + 40, len(sent) - 1)])
            answers_right(served)
        assert time.monotonic() - began < 10
        slow[0].sendall(sent[-1:])
        assert status(drained(slow[0])) == 200


@rests_on(PROCESS)
def test_clients_that_leave_in_the_middle_are_forgotten(served: Client) -> None:
    whole = request("POST", PATH, BODY)
    for cut in (1, 20, len(whole) - 1, len(whole)):
        for _ in range(10):
            with connect(served.rest) as connection:
                connection.sendall(whole[:cut])
                linger = b"\x01\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@rests_on(PROCESS)
def test_an_answer_that_nobody_reads_blocks_only_its_own_connection(served: Client) -> None:
    big = b'{"instances": [' + b", ".join([b"0.5"] * 200_000) + b"]}"
    with ExitStack() as opened:
        for _ in range(4):
            opened.enter_context(connect(served.rest)).sendall(request("POST", PATH, big, close=False))
        answers_right(served)


REFUSALS = {0, 400, 404, 413, 414, 431}
"""0: closed without an answer."""


@rests_on(EVENT)
@pytest.mark.parametrize(
    "head",
    [
        request("GET", "/v1/models/m", b"", "X-Long: " + "a" * 1_000_000),
        request("GET", "/v1/models/m", b"", *(f"X-{number}: a" for number in range(20_000))),
        request("GET", "/v1/models/" + "a" * 1_000_000),
        request("GET", "/" + "a/" * 500_000),
    ],
    ids=["one header", "20,000 headers", "a name", "a path"],
)
def test_a_megabyte_of_head_is_answered_or_refused(served: Client, head: bytes) -> None:
    assert status(clean(exchange(served.rest, head))) in REFUSALS | {200}


@rests_on(EVENT)
@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 99999999999999999999"],
        ["Content-Length: 1000000000000"],
        ["Content-Length: 5", "Content-Length: 20"],
        ["Content-Length: 20", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: gzip"],
        ["Content-Length: +20"],
        ["Content-Length: 20, 20"],
        ["Content-Length : 20"],
        [" Content-Length: 20"],
    ],
    ids=" | ".join,
)
def test_a_body_whose_length_is_a_lie_is_refused_or_left(served: Client, headers: list[str]) -> None:
    sent = request("POST", PATH, b"", *headers) + BODY
    with connect(served.rest, limit=2.0) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert status(clean(drained(connection))) in REFUSALS | {200, 501}


@rests_on(EVENT)
@pytest.mark.parametrize("size", [b"ffffffffffffffff", b"7fffffffffffffff", b"fffffffff"])
def test_a_chunk_of_terabytes_takes_no_memory(served: Client, size: bytes) -> None:
    sent = request("POST", PATH, b"", "Transfer-Encoding: chunked") + size + b"\r\n" + BODY
    with connect(served.rest, limit=2.0) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert status(clean(drained(connection))) in REFUSALS


# Bodies


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


# Models


def truncated(folder: Path) -> None:
    pb = folder / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:-200])


def noise(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(os.urandom(5000))


def nothing(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def a_folder(folder: Path) -> None:
    nothing(folder)
    (folder / "saved_model.pb").mkdir()


def half_an_index(folder: Path) -> None:
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:20])


def no_data(folder: Path) -> None:
    next((folder / "variables").glob("variables.data*")).unlink()


@rests_on("model_servers/server_core.cc:ServerCore::ReloadConfig", "core/loader_harness.cc:LoaderHarness::Load")
@pytest.mark.parametrize("damage", [truncated, noise, nothing, a_folder, half_an_index, no_data])
def test_a_damaged_model_ends_with_an_error_and_the_others_serve_on(
    served: Client, held: list[Model], scratch: Path, damage: Any
) -> None:
    # A name of its own: where an earlier END is known, the reload does not wait for the new one.
    name = f"bad_{damage.__name__}"
    damage(saved_models.line(scratch / name / "4", 0.5, 2.0))
    seen, text = refusal(lambda: served.reload(*held, Model(name, scratch / name, (4,))))
    assert seen == "UNKNOWN"
    assert f"{{{{{{name: {name} version: 4}} due to error: " in text
    clean(text.encode())
    (listed,) = served.status(name=name).model_version_status
    assert (listed.state, listed.version) == (50, 4)
    assert listed.status.error_code != 0
    clean(listed.status.error_message.encode())
    served.hold(*held)


@rests_on(
    "sources/storage_path/file_system_storage_path_source.cc:FileSystemStoragePathSource::PollFileSystemAndInvokeCallback"
)
def test_a_model_whose_files_vanish_serves_on(served: Client, held: list[Model], scratch: Path) -> None:
    saved_models.line(scratch / "gone" / "6", 0.5, 2.0)
    served.hold(*held, Model("gone", scratch / "gone", (6,)))
    (scratch / "gone").rename(scratch / "away")
    try:
        time.sleep(1.5)
        assert list(served.predict({"x": X}, name="gone").outputs["y"].float_val) == [2.75]
        assert served.http("POST", "/v1/models/gone:predict", BODY).body == {"predictions": [2.75]}
    finally:
        (scratch / "away").rename(scratch / "gone")
    shutil.rmtree(scratch / "gone" / "6" / "variables")
    assert list(served.predict({"x": X}, name="gone").outputs["y"].float_val) == [2.75]
    served.hold(*held)
