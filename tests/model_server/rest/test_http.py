"""The HTTP side: what goes over the wire, and clients that are slow, wrong or many (libevent's http.c, http_server.cc)."""

from __future__ import annotations

import gzip
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from doubling import Running, answer, post, started

from ferryman.model_server.metrics import REQUEST_COUNT, REQUEST_LATENCY, RUNTIME_LATENCY
from ferryman.model_server.rest import compression, message
from ferryman.model_server.rest import server as http
from ferryman.model_server.rest.handler import RestOptions
from ferryman.model_server.rest.listeners import listen
from ferryman.model_server.rest.message import Request
from ferryman.model_server.rest.poller import AnySystem
from ferryman.model_server.rest.response import Response
from ferryman.serving.server import free_port

BODY = b'{"instances": [1.5, -2]}'
DOUBLED = b'{\n    "predictions": [3.0, -4.0\n    ]\n}'
PREDICT = "/v1/models/m:predict"


def page(status: int, phrase: str) -> bytes:
    return (
        f"<HTML><HEAD>\n<TITLE>{status} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n</BODY></HTML>\n".encode()
    )


def dated(response: bytes) -> bytes:
    """With the date, which was right in form, left out."""
    found, count = re.subn(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"", response)
    assert count == 1
    return found


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def error(response: bytes) -> str:
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json\r\n" in head
    text: str = json.loads(body)["error"]
    return text


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server that waits for nothing long."""
    for name in ("IDLE_SECONDS", "HEAD_SECONDS"):
        monkeypatch.setattr(http, name, 0.3)
    running = started({}, RestOptions(threads=2, timeout=0.2))
    yield running
    running.server.stop(0.5)


# What goes over the wire


def test_an_answer_has_the_headers_of_the_real_server_in_their_order(rest: Running) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(DOUBLED)}\r\n\r\n".encode()
    assert dated(rest.post(PREDICT, BODY)) == head + DOUBLED


def test_an_error_is_json_on_lines(rest: Running) -> None:
    response = rest.post("/v1/models/m:explain", b"")
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert response.endswith(b'\r\n\r\n{\n    "error": "Malformed request: POST /v1/models/m:explain"\n}')


def test_what_is_not_below_v1_gets_a_page_and_the_end_of_the_connection(rest: Running) -> None:
    text = page(404, "Not Found")
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with rest.connect() as client:
        client.sendall(b"GET /index.html HTTP/1.1\r\n\r\n")
        assert dated(answer(client)) == head % len(text) + text
        assert client.recv(1) == b""


def test_a_version_beyond_64_bits_is_answered_without_a_body(rest: Running) -> None:
    response = rest.ask(b"GET /v1/models/m/versions/9223372036854775808 HTTP/1.1\r\n\r\n")
    assert dated(response) == b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"


def test_a_status_and_metadata_are_laid_out_as_protobuf_does(rest: Running) -> None:
    body = rest.ask(b"GET /v1/models/m/labels/none HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")[2].decode()
    entry = (
        '  {{\n   "version": "{}",\n   "state": "AVAILABLE",\n'
        '   "status": {{\n    "error_code": "OK",\n    "error_message": ""\n   }}\n  }}'
    )
    assert (
        body == '{\n "model_version_status": [\n' + ",\n".join(entry.format(number) for number in (2, 1)) + "\n ]\n}\n"
    )
    metadata = rest.ask(b"GET /v1/models/m/versions/1/metadata HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")[2].decode()
    assert metadata.startswith(
        '{\n"model_spec":{\n "name": "m",\n "version": "1",\n "signature_name": ""\n}\n,\n'
        '"metadata": {"signature_def": {\n "signature_def": {\n  "serving_default": {\n   "inputs": {\n    "x": {\n'
    )
    assert metadata.endswith("}\n}\n}\n")
    assert rest.ask(b"GET /v1/models/m/METADATA HTTP/1.1\r\n\r\n").endswith(body.encode())


@pytest.mark.parametrize(
    ("method", "code", "body"),
    [
        ("PUT", 400, b'"Malformed request: PUT /v1/models/m"'),
        ("DELETE", 400, b'"Malformed request: DELETE /v1/models/m"'),
        ("PATCH", 400, b'"Malformed request: PATCH /v1/models/m"'),
        ("TRACE", 501, page(501, "Not Implemented")),
        ("CONNECT", 501, page(501, "Not Implemented")),
        ("get", 501, page(501, "Not Implemented")),
    ],
)
def test_other_methods(rest: Running, method: str, code: int, body: bytes) -> None:
    response = rest.ask(f"{method} /v1/models/m HTTP/1.1\r\n\r\n".encode())
    assert status(response) == code
    assert body in response


def test_head_has_no_body_and_the_connection_goes_on(rest: Running) -> None:
    with rest.connect() as client:
        client.sendall(b"HEAD /v1/models/m HTTP/1.1\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n")
        received = b""
        while b"Missing model name in request." not in received:
            received += client.recv(65536)
    first, _, rest_of_it = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Length" not in first
    assert rest_of_it.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("origin", "code"), [("Origin: https://a.example\r\n", 200), ("Origin: null\r\n", 400), ("", 400)]
)
def test_options_asks_for_an_origin(rest: Running, origin: str, code: int) -> None:
    response = rest.ask(f"OPTIONS /v1/models/m HTTP/1.1\r\n{origin}\r\n".encode())
    assert status(response) == code
    assert response.endswith(b"Content-Length: 0\r\nContent-Type: text/html; charset=ISO-8859-1\r\n\r\n")


def test_http_1_0_closes_unless_it_is_asked_not_to(rest: Running) -> None:
    assert rest.ask(b"GET /v1/models HTTP/1.0\r\n\r\n") == (
        b'HTTP/1.0 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\n    "error": "Missing model name in request."\n}'
    )
    with rest.connect() as client:
        for _ in range(2):
            client.sendall(b"GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert b"\r\nConnection: keep-alive\r\nContent-Length: 49\r\n" in answer(client)


def test_a_client_that_asks_for_the_end_of_the_connection_gets_it(rest: Running) -> None:
    with rest.connect() as client:
        client.sendall(post(PREDICT, BODY, "Connection: Close"))
        response = answer(client)
        assert client.recv(1) == b""
    assert b"\r\nConnection: close\r\n\r\n" in response
    assert response.endswith(DOUBLED)


# Targets


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/v1/models/m/versions/1", 200),
        ("http://elsewhere:80/v1/models/m", 200),
        ("/v1/models/%6d", 200),
        ("/v1/models/m?a=b", 404),
        ("/v1/models/m#part", 404),
        ("//v1/models/m", 404),
        ("*", 404),
        ("/v1/models/a b", 400),
        ("/v1/models/%zz", 400),
        ("/v1/models/<m>", 400),
        ("/v1/models/\u00fc", 400),
        ("1:v1", 400),
    ],
)
def test_a_target_must_be_a_uri(rest: Running, target: str, code: int) -> None:
    response = rest.ask(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    assert status(response) == code
    assert (page(400, "Bad Request") in response) == (code == 400)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"GET\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /v1/models\r\n\r\n", 400),
        (b"GET /v1/models HTTP/2.0\r\n\r\n", 400),
        (b"GET /v1/models FTP/1.1\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nNoColon\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nX: " + b"a" * message.LARGEST_HEAD, 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1073741825\r\n\r\n", 413),
        (b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 413),
        (b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40000001\r\n", 413),
        (b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 413),
        (b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\nExpect: coffee\r\n\r\n", 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\n\n", 400),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_no_request_gets_a_page_and_the_end_of_the_connection(
    rest: Running, request_: bytes, code: int
) -> None:
    with rest.connect() as client:
        client.sendall(request_)
        response = answer(client)
        assert (status(response), b"<HTML>" in response) == (code, True)
        assert client.recv(1) == b""
    assert status(rest.post(PREDICT, BODY)) == 200


# Bodies


def test_a_body_may_come_in_chunks_and_byte_by_byte(rest: Running) -> None:
    chunks = (
        b"".join(b"%X;x=y\r\n%b\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:]))
        + b"0\r\nTrailer: t\r\n\r\n"
    )
    request = f"POST {PREDICT} HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n".encode() + chunks
    assert rest.ask(request).endswith(DOUBLED)
    for whole in (request, post(PREDICT, BODY)):
        with rest.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in whole:
                client.sendall(bytes((byte,)))
            assert answer(client).endswith(DOUBLED)


def test_requests_that_are_sent_at_once_are_answered_in_their_order(rest: Running) -> None:
    with rest.connect() as client:
        client.sendall(b"".join(post(PREDICT, b'{"inputs": %d}' % number) for number in range(100)))
        received = b""
        while received.count(b'"outputs"') < 100:
            received += client.recv(65536)
    assert re.findall(rb'"outputs": (\d+)', received) == [b"%d" % (2 * number) for number in range(100)]


def test_a_client_that_waits_to_be_told_to_go_on_is_told(rest: Running) -> None:
    with rest.connect() as client:
        head, body = post(PREDICT, BODY, "Expect: 100-continue").split(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert answer(client).endswith(DOUBLED)
    whole = rest.ask(head + b"\r\n\r\n" + body)
    assert whole.startswith(b"HTTP/1.1 200")


def test_a_large_body_comes_and_goes(rest: Running) -> None:
    values = [float(number) for number in range(300_000)]
    response = rest.post(PREDICT, json.dumps({"instances": values}).encode())
    assert json.loads(response.partition(b"\r\n\r\n")[2])["predictions"] == [2 * value for value in values]


def test_a_compressed_body_is_unpacked_up_to_a_limit(rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(BODY)
    assert rest.post(PREDICT, packed, "Content-Encoding: x-gzip").endswith(DOUBLED)
    monkeypatch.setattr(compression, "LARGEST", len(BODY))
    assert rest.post(PREDICT, packed, "Content-Encoding: gzip").endswith(DOUBLED)
    monkeypatch.setattr(compression, "LARGEST", len(BODY) - 1)
    assert error(rest.post(PREDICT, packed, "Content-Encoding: gzip")) == "JSON Parse error: The document is empty"


@pytest.mark.parametrize(
    "damaged",
    [BODY, gzip.compress(BODY, mtime=0)[:-1], gzip.compress(BODY, mtime=0) + b"x", gzip.compress(b"{", mtime=0) * 2],
    ids=["not packed", "cut", "with more behind", "of two parts"],
)
def test_a_compressed_body_that_is_damaged_is_taken_for_an_empty_one(rest: Running, damaged: bytes) -> None:
    assert error(rest.post(PREDICT, damaged, "Content-Encoding: gzip")) == "JSON Parse error: The document is empty"


# Errors


@pytest.mark.parametrize(
    ("path", "body", "code", "text"),
    [
        ("/v1/models/none:predict", BODY, 404, "Servable not found for request: Latest(none)"),
        ("/v1/models/%ff%22:predict", BODY, 404, 'Servable not found for request: Latest(\udcff")'),
        ("/v1/models/none:predict", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
        (
            PREDICT,
            b'{"signature_name": "z", "inputs": 1}',
            400,
            'Serving signature name: "z" not found in signature def',
        ),
        (PREDICT, b'{"signature_name": "odd", "inputs": 1}', 400, "Failed to write JSON value for tensor type: half"),
        (PREDICT, b'{"signature_name": "bug", "inputs": 1}', 500, "RuntimeError: a bug in two lines"),
    ],
)
def test_an_error_has_its_code_and_one_line_of_text(
    rest: Running, path: str, body: bytes, code: int, text: str
) -> None:
    response = rest.post(path, body)
    head, _, found = response.partition(b"\r\n\r\n")
    assert (status(head), json.loads(found.decode("utf-8", "surrogateescape"))) == (code, {"error": text})


def test_a_request_that_takes_too_long_is_answered_and_the_server_lives(impatient: Running) -> None:
    begun = time.monotonic()
    response = impatient.post(PREDICT, b'{"signature_name": "slow", "inputs": 1}')
    waited = time.monotonic() - begun
    assert response.startswith(b"HTTP/1.1 504 Gateway Time-out\r\n")
    assert error(response) == "Timed out waiting for notification"
    assert 0.2 <= waited < 10
    assert impatient.ask(b"GET /v1/models/m HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
    impatient.versions[2].go_on.set()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is counted: the labels of each call."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(REQUEST_COUNT, "add", lambda *labels, by=1: found.append(labels))
    monkeypatch.setattr(REQUEST_LATENCY, "add", lambda *labels, of: found.append((*labels, "timed" if of > 0 else "?")))
    monkeypatch.setattr(RUNTIME_LATENCY, "add", lambda *labels, of: found.append((*labels, "ran" if of > 0 else "?")))
    return found


def test_what_is_answered_is_counted_by_model_and_code(rest: Running, counted: list[tuple[str, ...]]) -> None:
    for path, body in ((PREDICT, BODY), ("/v1/models/%25%ff:predict", BODY), ("/v1/x", b""), (PREDICT, b"{")):
        rest.post(path, body)
    rest.ask(b"GET /v1/models/m/versions/1 HTTP/1.1\r\n\r\n")
    rest.ask(b"GET /elsewhere HTTP/1.1\r\n\r\n")
    assert counted == [
        *(("m", "Predict", "TF1", "ran"), ("m", "predict", "REST", "timed"), ("m", "OK")),
        *(("%\ufffd", "NOT_FOUND"), ("", "INVALID_ARGUMENT"), ("m", "INVALID_ARGUMENT")),
        *(("m", "", "REST", "timed"), ("m", "OK")),
    ]


def test_what_took_too_long_is_counted_so_and_once(impatient: Running, counted: list[tuple[str, ...]]) -> None:
    impatient.post(PREDICT, b'{"signature_name": "slow", "inputs": 1}')
    impatient.versions[2].go_on.set()
    while ("m", "Predict", "TF1", "ran") not in counted:
        time.sleep(0.01)
    impatient.server.stop(5)
    assert counted == [("m", "DEADLINE_EXCEEDED"), ("m", "Predict", "TF1", "ran")]


# The monitoring page, CORS


def test_the_monitoring_page_is_where_it_was_put(rest: Running) -> None:
    response = dated(rest.ask(b"GET /metrics HTTP/1.1\r\n\r\n"))
    assert response == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\na_count 3\n"
    response = rest.ask(b"GET /metrics?all HTTP/1.1\r\n\r\n")
    assert response.endswith(b"Unexpected path: /metrics?all. Should be /metrics")
    assert status(response) == 400


def test_cors_headers_are_added_to_every_answer_of_the_api() -> None:
    running = started({}, RestOptions(threads=1, cors=True))
    try:
        for request in (b"OPTIONS /v1/ HTTP/1.1\r\nOrigin: http://a\r\n\r\n", b"GET /v1/ HTTP/1.1\r\n\r\n"):
            found = running.ask(request)
            assert (
                b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET\r\n"
                b"Access-Control-Allow-Headers: Content-Type\r\nDate:"
            ) in found
    finally:
        running.server.stop(0.5)


# Clients that are slow, gone or many


def own_threads() -> int:
    """How many threads servers of REST have; those of other fixtures come and go."""
    return sum(thread.name.startswith("rest-") for thread in threading.enumerate())


def test_a_thousand_idle_connections_hold_nobody_up(rest: Running) -> None:
    wanted, (soft, hard) = 1000, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * wanted + 200)), hard))
    threads, idle = own_threads(), []
    try:
        idle = [rest.connect() for _ in range(wanted)]
        for client in idle[::2]:
            client.sendall(b"POST /v1/models/m:predict HTTP/1.1\r\nContent-Le")
        assert rest.post(PREDICT, BODY).endswith(DOUBLED)
        assert own_threads() == threads
        idle[1].sendall(post(PREDICT, BODY))
        assert answer(idle[1]).endswith(DOUBLED)
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_clients_that_go_away_leave_nothing_behind(rest: Running) -> None:
    for request in (b"", b"POST /v1/", post(PREDICT, BODY)[:-5], post(PREDICT, BODY)):
        with rest.connect() as client:
            client.sendall(request)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    deadline = time.monotonic() + 10
    while rest.server.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rest.server.connections == 0
    assert rest.post(PREDICT, BODY).endswith(DOUBLED)


def test_a_client_that_reads_slowly_holds_no_thread(rest: Running) -> None:
    body = json.dumps({"instances": [0.1] * 400_000}).encode()
    clients = [rest.connect() for _ in range(6)]
    try:
        for client in clients:
            client.sendall(post(PREDICT, body))
        assert rest.post(PREDICT, BODY).endswith(DOUBLED)
        found = [answer(client) for client in clients]
        assert {response.count(b"0.2") for response in found} == {400_000}
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("begun", [b"", b"POST ", post(PREDICT, BODY)[:-3]], ids=["idle", "head", "body"])
def test_a_connection_on_which_nothing_comes_is_closed(impatient: Running, begun: bytes) -> None:
    with impatient.connect() as client:
        client.sendall(begun)
        assert client.recv(100) == b""


def test_a_head_that_comes_a_byte_now_and_then_is_not_waited_for(impatient: Running) -> None:
    with impatient.connect() as client, pytest.raises(OSError, match=r"[Bb]roken|reset"):
        for _ in range(100):
            client.sendall(b"X")
            time.sleep(0.05)


# The server


def test_a_stop_answers_what_has_come_and_closes_the_rest() -> None:
    running = started({}, RestOptions(threads=2, timeout=0))
    with running.connect() as idle, running.connect() as busy:
        busy.sendall(post(PREDICT, b'{"signature_name": "slow", "inputs": 1}'))
        while 2 not in running.versions or running.server.connections < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        stopping = threading.Thread(target=running.server.stop, args=(10,))
        stopping.start()
        assert idle.recv(1) == b""
        assert stopping.is_alive()
        running.versions[2].go_on.set()
        assert b'"outputs": 2.0' in answer(busy)
        assert busy.recv(1) == b""
        stopping.join(10)
        assert not stopping.is_alive()
    with pytest.raises(OSError, match="refused"):
        running.connect()


def test_an_address_that_is_taken_or_wrong_is_named() -> None:
    port = free_port("127.0.0.1")
    (taken,) = listen("127.0.0.1", port)
    try:
        with pytest.raises(OSError, match=rf"Failed to bind to address 127\.0\.0\.1:{port}: Address already in use"):
            listen("127.0.0.1", port)
        with pytest.raises(OSError, match=rf"Failed to bind to address no\.such\.host\.invalid:{port}: "):
            listen("no.such.host.invalid", port)
        with pytest.raises(OSError, match=rf"Failed to bind to address 192\.0\.2\.1:{port}: "):
            listen("192.0.2.1", port)
    finally:
        taken.close()


@pytest.mark.parametrize("host", ["localhost", "::1", "::", "0.0.0.0", ""])
def test_names_and_addresses_of_both_kinds_are_listened_at(host: str) -> None:
    port = free_port("127.0.0.1")
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    try:
        listeners = listen(host, port)
    except OSError as error:
        pytest.skip(str(error))
    try:
        with socket.create_connection(("::1" if host == "::1" else "127.0.0.1", port), timeout=5):
            pass
    finally:
        for listener in listeners:
            listener.close()


def test_a_system_without_epoll_is_served_as_well() -> None:
    port = free_port("127.0.0.1")
    server = http.HttpServer(
        listen("127.0.0.1", port), lambda request: Response(200, request.body[::-1]), 3, poll=AnySystem()
    )
    server.start()
    running = Running(port, server)
    try:
        with running.connect() as one, running.connect() as other:
            for _ in range(20):
                for client, body in ((one, b"abc"), (other, b"x" * 3_000_000 + b"y")):
                    client.sendall(post("/", body))
                    assert answer(client).endswith(body[::-1])
    finally:
        server.stop(1)
    assert not any(thread.name.startswith("rest-") and thread.is_alive() for thread in server.threads)


def test_a_bug_in_a_handler_takes_no_thread() -> None:
    port = free_port("127.0.0.1")

    def handler(request: Request) -> Response:
        if request.path == "/bug":
            raise ValueError("a bug")
        return Response(200, b"ok")

    server = http.HttpServer(listen("127.0.0.1", port), handler, 1)
    server.start()
    try:
        running = Running(port, server)
        for _ in range(3):
            assert running.ask(b"GET /bug HTTP/1.1\r\n\r\n") == b""
        assert running.ask(b"GET / HTTP/1.1\r\n\r\n").endswith(b"ok")
    finally:
        server.stop(1)
