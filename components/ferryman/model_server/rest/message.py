"""HTTP/1.x requests out of the bytes of a connection, by the rules of the real server's libevent.

Source: libevent release-2.1.12-stable, http.c, which tensorflow_model_server links (`tensorflow_serving/workspace.bzl`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ferryman.model_server.rest.chunks import Chunks, Malformed

LARGEST_HEAD = 64 << 10
"""Bytes of a request's line and headers together. The real server has no limit, and fills its memory."""

LARGEST_BODY = 1 << 30
"""Bytes of one body as it comes; more is refused before it is read."""

_END = re.compile(rb"\n\r?\n")
_VERSION = re.compile(r"HTTP/(\d{1,9})\.(\d{1,9})", re.ASCII)
_PLAIN = r"[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2}"
_TARGET = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]*:)?(?://[^/?#\x00-\x20\x7f-\xff]*)?"
    rf"(?P<path>(?:{_PLAIN})*)(?P<rest>(?:\?(?:{_PLAIN}|\?)*)?(?:#(?:{_PLAIN}|\?)*)?)"
)
_LENGTH = re.compile(r"[ \t]*\+?\d{1,18}", re.ASCII)
_BODILESS = frozenset({"HEAD", "TRACE"})
KNOWN = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Methods that reach a handler (`evhttp_set_allowed_methods` in evhttp_server.cc)."""


@dataclass(slots=True)
class Request:
    """A whole request."""

    method: str
    path: str
    """Without query and fragment, as it came: nothing is decoded."""

    target: str
    """Path, query and fragment: what the real server's handlers match."""

    minor: int = 1
    """Of HTTP/1.x; below 1.0 counts as 0."""

    headers: dict[str, str] = field(default_factory=dict)
    """Lower-case name -> its first value."""

    body: bytes = b""

    @property
    def persistent(self) -> bool:
        """Whether the connection stays open after the answer (`evhttp_send_done`)."""
        wish = self.headers.get("connection", "").lower()
        return wish.startswith("keep-alive") if self.minor < 1 else wish != "close"


class Inbox:
    """The bytes of a connection that are not yet a request."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._head: Request | None = None
        self._wanted = 0
        self._chunks: Chunks | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing of a request has come."""
        return self._head is None and not self._bytes

    @property
    def reads_body(self) -> bool:
        """Whether a head is complete and its body is not."""
        return self._head is not None

    @property
    def awaits_continue(self) -> bool:
        """Whether a head asks to be told to go on, and no byte of its body has come."""
        return self._head is not None and not self._bytes and self._head.headers.get("expect") is not None

    def feed(self, received: bytes) -> None:
        """Add what was received."""
        self._bytes += received

    def next(self) -> Request | None:
        """The next whole request, or None while more must come.

        Raises:
            Malformed: when there can be none.
        """
        head = self._head or self._read_head()
        if head is None or (body := self._read_body()) is None:
            return None
        head.body, self._head, self._chunks = body, None, None
        return head

    def _read_head(self) -> Request | None:
        end = _END.search(self._bytes)
        if (end.start() if end else len(self._bytes)) > LARGEST_HEAD:
            raise Malformed(400)
        if end is None:
            return None
        head = parse(bytes(self._bytes[: end.start()]))
        del self._bytes[: end.end()]
        self._head = head
        if head.headers.get("transfer-encoding", "").lower() == "chunked" and head.method not in _BODILESS:
            self._chunks = Chunks(LARGEST_BODY)
        self._wanted = length(head)
        if self._wanted > LARGEST_BODY:
            raise Malformed(413)
        return head

    def _read_body(self) -> bytes | None:
        if self._chunks:
            return self._chunks.take(self._bytes)
        if len(self._bytes) < self._wanted:
            return None
        if not self._wanted:
            return b""
        body = bytes(memoryview(self._bytes)[: self._wanted])
        del self._bytes[: self._wanted]
        return body


def parse(head: bytes) -> Request:
    """The request of a head (its line and headers, without the empty line); Malformed when it is none."""
    first, *lines = head.decode("latin-1").split("\n")
    method, _, rest = first.rstrip("\r ").partition(" ")
    uri, _, version = rest.rpartition(" ")
    numbers = _VERSION.fullmatch(version)
    if not uri or not numbers or int(numbers[1]) > 1:
        raise Malformed(400)
    if method not in KNOWN:
        raise Malformed(501)
    target = _TARGET.fullmatch(uri)
    # Without a scheme the first part of a path must have no colon (`path_matches_noscheme`).
    if not target or (not target[1] and ":" in target["path"].partition("/")[0]):
        raise Malformed(400)
    minor = int(numbers[2]) if int(numbers[1]) == 1 else 0
    return Request(method, target["path"], target["path"] + target["rest"], minor, _headers(lines))


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = None
    for line in lines:
        if line[:1] in {" ", "\t"} and name is not None:
            found[name] += " " + line.strip(" \t\r")
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise Malformed(400)
        name, value = key.lower(), value.strip(" \t\r")
        # Two lengths are how a request is smuggled past a proxy; the real server takes the first.
        if name == "content-length" and found.get(name, value) != value:
            raise Malformed(400)
        found.setdefault(name, value)
    return found


def length(head: Request) -> int:
    """Bytes of the body as the head gives them, 0 without one; Malformed when the length or the coding is none."""
    coding = head.headers.get("transfer-encoding")
    if coding is not None and coding.lower() != "chunked":
        raise Malformed(400)
    if head.headers.get("expect", "100-continue").lower() != "100-continue":
        raise Malformed(417)
    given = head.headers.get("content-length")
    if given is None or coding is not None:
        return 0
    if not _LENGTH.fullmatch(given):
        raise Malformed(400)
    if head.method in _BODILESS and int(given):
        raise Malformed(400)
    return int(given)
