"""The server's REST API: TensorFlow Serving's routes, codes, texts and headers.

Source: model_servers/http_server.cc, model_servers/http_rest_api_handler.cc.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ferryman.model_server.core import (
    ABORTED,
    ALREADY_EXISTS,
    CANCELLED,
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    OK,
    OUT_OF_RANGE,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Refusal,
)
from ferryman.model_server.metrics import count_request
from ferryman.model_server.rest import calls
from ferryman.model_server.rest.compression import unpacked
from ferryman.model_server.rest.message import Request
from ferryman.model_server.rest.response import Response, page
from ferryman.model_server.rest.routes import API, NotNumeric, model_of, route
from ferryman.model_server.rest.server import HttpServer, serve
from ferryman.model_server.rest.strings import quoted
from ferryman.model_server.servables import Servables

log = logging.getLogger("ferryman.model_server")

HTTP = {
    OK: 200,
    CANCELLED: 499,
    INVALID_ARGUMENT: 400,
    DEADLINE_EXCEEDED: 504,
    NOT_FOUND: 404,
    ALREADY_EXISTS: 409,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    FAILED_PRECONDITION: 400,
    ABORTED: 409,
    OUT_OF_RANGE: 400,
    UNIMPLEMENTED: 501,
    UNAVAILABLE: 503,
    UNAUTHENTICATED: 401,
}
"""gRPC status code -> HTTP status; anything else is 500 (ToHTTPStatusCode)."""

JSON = (("Content-Type", "application/json"),)

CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)
"""AddCORSHeaders in http_rest_api_util.cc."""

TIMED_OUT = "Timed out waiting for notification"
"""What TensorFlow's session says when a run takes too long (direct_session.cc)."""

_ORIGIN = re.compile("https?://")


@dataclass(frozen=True)
class RestOptions:
    """How REST is served; the defaults are tensorflow_model_server's."""

    threads: int
    """That answer requests."""

    timeout: float = 30.0
    """Seconds after which a request is answered with DEADLINE_EXCEEDED; 0: never."""

    cors: bool = False
    monitoring_path: str = ""
    """Where the monitoring page is; empty: nowhere."""

    monitoring_page: Callable[[], str] = str


class Api:
    """Answers requests; called from many threads."""

    def __init__(self, servables: Servables, options: RestOptions) -> None:
        self._servables, self._options = servables, options

    def __call__(self, request: Request) -> Response:
        """The answer, whatever the request; nothing is raised."""
        if self._options.monitoring_path and request.path == self._options.monitoring_path:
            return self._monitoring(request)
        if not API.fullmatch(request.target):
            return page(404)
        begun = time.perf_counter()
        code, body, headers = self._answer(request)
        return Response(
            HTTP.get(code, 500),
            body,
            headers + (CORS if self._options.cors else ()),
            partial(_count, request, code, begun, time.perf_counter()),
        )

    def too_late(self, request: Request) -> Response:
        """The answer to a request whose time is over."""
        headers = JSON + (CORS if self._options.cors else ())
        count = partial(_count, request, DEADLINE_EXCEEDED, 0.0, 0.0)
        return Response(HTTP[DEADLINE_EXCEEDED], error_body(TIMED_OUT), headers, count)

    def _answer(self, request: Request) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        if request.method == "OPTIONS":
            allowed = _ORIGIN.search(request.headers.get("origin", ""))
            return (OK if allowed else FAILED_PRECONDITION), b"", ()
        try:
            return OK, self._called(request), JSON
        except NotNumeric as error:
            # The real server returns before it writes this error.
            return error.code, b"", JSON
        except Refusal as error:
            return error.code, error_body(error.text), JSON
        except Exception as error:
            log.exception("a bug while answering")
            return INTERNAL, error_body(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"), JSON

    def _called(self, request: Request) -> bytes:
        found = route(request.method, request.target)
        if found is None:
            raise _malformed(request)
        if request.method == "GET":
            # Only in lower case is it asked for; otherwise the status is.
            return (calls.metadata if found.method == "metadata" else calls.status)(self._servables, found)
        if found.method not in calls.POST:
            raise _malformed(request)
        body = unpacked(request.body, request.headers.get("content-encoding", ""))
        return calls.POST[found.method](self._servables, found, body)

    def _monitoring(self, request: Request) -> Response:
        headers = (("Content-Type", "text/plain"),)
        path = self._options.monitoring_path
        if request.target != path:
            return Response(400, f"Unexpected path: {request.target}. Should be {path}".encode("latin-1"), headers)
        try:
            return Response(200, self._options.monitoring_page().encode("utf-8", "replace"), headers)
        except Exception as error:
            log.exception("a bug in the monitoring page")
            return Response(500, type(error).__name__.encode(), headers)


def _malformed(request: Request) -> Refusal:
    return Refusal(INVALID_ARGUMENT, f"Malformed request: {request.method} {request.target}")


def error_body(text: str) -> bytes:
    """An error as JSON; bytes that are no UTF-8 go out as they came (MakeJsonFromStatus)."""
    return b'{\n    "error": %b\n}' % quoted(text.encode("utf-8", "surrogateescape"))


def _count(request: Request, code: int, begun: float, ended: float) -> None:
    method = request.target.rpartition(":")[2] if request.method == "POST" else ""
    count_request(model_of(request.method, request.target), method, "REST", code, ended - begun)


def serve_rest(servables: Servables, host: str, port: int, options: RestOptions) -> HttpServer:
    """A bound HTTP server, still to be started; OSError when the address cannot be bound."""
    api = Api(servables, options)
    return serve(
        host,
        port,
        api,
        options.threads,
        limit=options.timeout or None,
        too_late=api.too_late,
    )
