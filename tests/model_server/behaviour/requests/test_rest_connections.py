"""REST as a connection: keep-alive, pipelining, chunks, compressed bodies and what a client announces."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib

import pytest
from raw_http import connect, drained, exchange, request, status
from rests_on import rests_on
from serving_client import Client

BODY_OF = "util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::ReadRequestBytes"
GZIP = "util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::ReadRequestGzipBytes"
REPLY = "util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::EvSendReply"
PROCESS = "model_servers/http_server.cc:RestApiRequestDispatcher::ProcessRequest"

PATH = "/v1/models/m/versions/1:predict"
BODY = b'{"instances": [1.5]}'
ANSWER = b'{\n    "predictions": [15.0\n    ]\n}'
EMPTY = {"error": "JSON Parse error: The document is empty"}


@rests_on(REPLY)
def test_a_connection_serves_one_request_after_the_other_also_after_an_error(served: Client) -> None:
    connection = http.client.HTTPConnection(served.rest, timeout=20)
    seen = []
    for body in (BODY, b"{", BODY, b"", BODY):
        connection.request("POST", PATH, body)
        response = connection.getresponse()
        seen.append((response.status, len(response.read()) > 0, response.getheader("Connection")))
    connection.close()
    assert seen == [(200, True, None), (400, True, None), (200, True, None), (400, True, None), (200, True, None)]


@rests_on(REPLY)
def test_requests_sent_at_once_are_answered_in_their_order(served: Client) -> None:
    bodies = [b'{"instances": [%d.0]}' % number for number in range(1, 6)]
    sent = b"".join(request("POST", PATH, body, close=number == 5) for number, body in enumerate(bodies, 1))
    answers = exchange(served.rest, sent).split(b"HTTP/1.1 ")[1:]
    values = [json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"] for answer in answers]
    assert values == [[10.0], [20.0], [30.0], [40.0], [50.0]]


@rests_on(REPLY)
def test_http_1_0_is_answered_and_the_connection_closed(served: Client) -> None:
    sent = f"POST {PATH} HTTP/1.0\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    answer = exchange(served.rest, sent)
    assert status(answer) == 200
    assert answer.endswith(ANSWER)


@rests_on(REPLY)
def test_a_client_that_asks_to_close_is_told_so(served: Client) -> None:
    answer = exchange(served.rest, request("POST", PATH, BODY)).lower()
    assert b"\r\nconnection: close\r\n" in answer
    assert b"\r\ncontent-type: application/json\r\n" in answer
    assert b"\r\ncontent-length: %d\r\n" % len(ANSWER) in answer
    assert b"\r\ndate: " in answer


@rests_on(BODY_OF)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_in_chunks_is_put_together(served: Client, size: int) -> None:
    parts = [BODY[i : i + size] for i in range(0, len(BODY), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    answer = exchange(served.rest, request("POST", PATH, b"", "Transfer-Encoding: chunked") + chunks)
    assert status(answer) == 200
    assert answer.endswith(ANSWER)


@rests_on(BODY_OF)
def test_a_client_that_waits_to_be_told_to_continue_is_told(served: Client) -> None:
    head = request("POST", PATH, b"", "Expect: 100-continue", f"Content-Length: {len(BODY)}")
    with connect(served.rest) as connection:
        connection.sendall(head)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(BODY)
        answer = drained(connection)
    assert status(answer) == 200
    assert answer.endswith(ANSWER)


@rests_on(PROCESS)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/grpc"])
def test_the_kind_of_a_body_does_not_matter(served: Client, kind: str) -> None:
    answer = served.http("POST", PATH, BODY, Content_Type=kind)
    assert (answer.status, answer.raw) == (200, ANSWER)


@rests_on(GZIP, "util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::NeedUncompressGzipContent")
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate, gzip"])
def test_a_compressed_body_is_taken_and_the_answer_never_compressed(served: Client, encoding: str) -> None:
    answer = served.http(
        "POST", PATH, gzip.compress(BODY), Content_Encoding=encoding, Accept_Encoding="gzip", Accept="text/html"
    )
    assert (answer.status, answer.raw) == (200, ANSWER)
    assert "content-encoding" not in answer.headers


@rests_on(GZIP)
@pytest.mark.parametrize(
    "body",
    [
        BODY,
        gzip.compress(BODY)[:-4],
        gzip.compress(BODY)[:20] + b"\0" * 12,
        zlib.compress(BODY),
        gzip.compress(BODY)[:-8] + b"\0" * 4 + gzip.compress(BODY)[-4:],
    ],
    ids=["not compressed", "cut", "damaged", "zlib", "wrong check sum"],
)
def test_a_body_that_is_not_the_gzip_it_says_counts_as_empty(served: Client, body: bytes) -> None:
    answer = served.http("POST", PATH, body, Content_Encoding="gzip")
    assert (answer.status, answer.body) == (400, EMPTY)


@rests_on("util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::NeedUncompressGzipContent")
def test_other_compressions_are_read_as_they_are(served: Client) -> None:
    answer = served.http("POST", PATH, zlib.compress(BODY), Content_Encoding="deflate")
    assert (answer.status, answer.body) == (400, {"error": "JSON Parse error: Invalid value. at offset: 0"})


@rests_on("util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest")
@pytest.mark.parametrize("length", ["-1", "five", "1e2", "0x10", ""])
def test_a_length_that_is_no_number_is_a_bad_request(served: Client, length: str) -> None:
    answer = exchange(served.rest, request("POST", PATH, b"", f"Content-Length: {length}") + BODY, limit=5)
    assert status(answer) == 400


@rests_on("util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest")
@pytest.mark.parametrize(
    "chunks", [b"zz\r\nabc\r\n0\r\n\r\n", b"-5\r\nabc\r\n0\r\n\r\n"], ids=["no number", "negative"]
)
def test_a_chunk_whose_size_is_no_number_is_too_large(served: Client, chunks: bytes) -> None:
    answer = exchange(served.rest, request("POST", PATH, b"", "Transfer-Encoding: chunked") + chunks, limit=5)
    # libevent 2.1.12, evhttp_read_body: a corrupt chunk counts as one that is too long.
    assert status(answer) == 413
