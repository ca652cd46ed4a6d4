"""Answers as bytes, with the headers and pages of the real server's libevent.

Source: libevent release-2.1.12-stable, http.c: evhttp_make_header_response, evhttp_send_error and its phrases.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from ferryman.model_server.rest.message import Request

PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    417: "Expectation Failed",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
"""Any other code of 400 to 499 has libevent's name of its class."""

DEFAULT_TYPE = ("Content-Type", "text/html; charset=ISO-8859-1")
"""What libevent adds to an answer whose handler names no type (`evhttp_new_object`)."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """In this order; Date, Content-Length and Connection are added."""

    used: Callable[[], None] | None = None
    """Called when this is what the client gets: what was answered too late is not counted."""


def page(status: int) -> Response:
    """libevent's page of an error; the connection closes after it."""
    phrase = PHRASES[status]
    text = f"<HTML><HEAD>\n<TITLE>{status} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n</BODY></HTML>\n"  # its text
    return Response(status, text.encode(), (("Content-Type", "text/html"), ("Connection", "close")))


def closes(response: Response, request: Request | None) -> bool:
    """Whether the connection ends after `response`; without a request it always does."""
    return request is None or not request.persistent or ("Connection", "close") in response.headers


def head(response: Response, request: Request | None) -> bytes:
    """The head of `response` to `request`, or to what was none."""
    old = request is not None and request.minor < 1 and not _is_page(response)
    bodiless = request is not None and request.method == "HEAD"
    lines = [f"HTTP/1.{0 if old else 1} {response.status} {PHRASES.get(response.status, 'Client Error')}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if not old:
        lines.append(f"Date: {_date(int(time.time()))}")
    kept = request is not None and request.persistent
    if old and kept:
        lines.append("Connection: keep-alive")
    if not bodiless:
        if not old or kept:
            lines.append(f"Content-Length: {len(response.body)}")
        if not any(name == "Content-Type" for name, _ in response.headers):
            lines.append(": ".join(DEFAULT_TYPE))
    if request is not None and request.headers.get("connection", "").lower() == "close" and not _is_page(response):
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _is_page(response: Response) -> bool:
    return ("Connection", "close") in response.headers


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
