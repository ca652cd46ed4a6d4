"""Connections that send noise, lies or nothing disturb nobody."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack

import pytest
from golden_requests import BODY, PATH, answers_right, clean
from raw_http import connect, drained, exchange, request, status
from rests_on import rests_on
from serving_client import Client

START = "model_servers/server.cc:Server::BuildAndStart"
EVENT = "util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest"
PROCESS = "model_servers/http_server.cc:RestApiRequestDispatcher::ProcessRequest"


pytestmark = pytest.mark.usefixtures("alive")


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
