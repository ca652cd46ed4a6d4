"""Sockets that listen, and the connections that come in on them."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time

log = logging.getLogger("ferryman.model_server")

BACKLOG = 1024
MOST_AT_ONCE = 64
"""Connections that one thread accepts before it looks at others."""

FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of `host`; OSError, naming the address, when none can be bound."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(f"Failed to bind to address {host}:{port}: {error}") from error
    bound: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            bound.append(_bound(family, address, alone=len(found) == 1))
        except OSError as error:
            # A system without IPv6 still resolves names to its addresses.
            if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL} and len(found) > 1:
                continue
            for listener in bound:
                listener.close()
            raise OSError(
                error.errno, f"Failed to bind to address {host}:{port}: {os.strerror(error.errno or 0)}"
            ) from error
    if not bound:
        raise OSError(
            errno.EADDRNOTAVAIL, f"Failed to bind to address {host}:{port}: no address of it is this machine's"
        )
    return bound


def _bound(family: int, address: object, *, alone: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` alone takes IPv4 as well, as the real server's socket does.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if alone else 1)
        listener.bind(address)  # type: ignore[arg-type]
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def accepted(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait, at most `MOST_AT_ONCE`; none when the process may have no more."""
    new = []
    for _ in range(MOST_AT_ONCE):
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno in FULL:
                log.error("No connection can be accepted: %s", error.strerror)
                time.sleep(0.1)
                break
            continue  # this one was gone before it was accepted
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        new.append(connection)
    return new
