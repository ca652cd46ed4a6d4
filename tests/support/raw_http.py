"""HTTP as bytes: for requests that no library would send, and answers that are compared to the byte."""

from __future__ import annotations

import socket
from contextlib import closing


def connect(address: str, limit: float = 20.0) -> socket.socket:
    """A connection to HOST:PORT whose reads wait at most `limit` seconds."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=limit)


def exchange(address: str, sent: bytes, limit: float = 20.0) -> bytes:
    """All that comes back on a connection of its own until the server closes it, or `limit` seconds pass."""
    with closing(connect(address, limit)) as connection:
        try:
            connection.sendall(sent)
            return drained(connection)
        except (ConnectionError, TimeoutError):
            return b""


def drained(connection: socket.socket) -> bytes:
    """What comes until the other side closes, resets or falls silent."""
    parts: list[bytes] = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except (ConnectionError, TimeoutError):
        pass
    return b"".join(parts)


def request(method: str, path: str, body: bytes = b"", *headers: str, close: bool = True) -> bytes:
    """A request's bytes, with its Content-Length where it has a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    lines += ["Connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def status(answer: bytes) -> int:
    """The code of an answer; 0 when there is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") else 0
