"""The HTTP server: threads that each take a connection that is ready, answer its requests and give it back.

A thread reads, calls the handler and writes itself, so that a request is handed to nobody; a connection that is slow or
idle holds no thread.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from ferryman.model_server.rest.chunks import Malformed
from ferryman.model_server.rest.connection import Connection
from ferryman.model_server.rest.listeners import accepted, listen
from ferryman.model_server.rest.message import Request
from ferryman.model_server.rest.poller import Poller, poller
from ferryman.model_server.rest.response import Response, closes, page

log = logging.getLogger("ferryman.model_server")

Handler = Callable[[Request], Response]

IDLE_SECONDS = 50.0
"""A connection on which nothing comes, or goes, for so long is closed (HTTP_READ_TIMEOUT of libevent)."""

HEAD_SECONDS = 50.0
"""How long a request's head may take altogether. The real server waits for ever for a client that sends a byte now and then."""

SLOWEST_BODY = 16 << 10
"""Bytes a second that a body must come with, on average, after `HEAD_SECONDS`."""

LINGER_SECONDS = 5.0
"""How long a client may go on to send a request that was refused, before it loses the answer."""

WATCH_SECONDS = 1.0

give_way: Callable[[], object] = getattr(os, "sched_yield", functools.partial(time.sleep, 0))


class HttpServer:
    """A bound server. `handler` is called from many threads and raises nothing."""

    def __init__(
        self,
        addresses: list[socket.socket],
        handler: Handler,
        threads: int,
        *,
        limit: float | None = None,
        too_late: Handler | None = None,
        poll: Poller | None = None,
    ) -> None:
        """`limit`: seconds after which `too_late` answers a request, while its handler runs on."""
        self._listeners = {listener.fileno(): listener for listener in addresses}
        self._handler, self._limit, self._too_late = handler, limit, too_late
        self._poller = poll or poller()
        self._connections: dict[int, Connection] = {}
        self.threads = [
            threading.Thread(target=self._work, name=f"rest-{number}", daemon=True) for number in range(threads)
        ]
        self._watcher = threading.Thread(target=self._watch, name="rest-watch", daemon=True)
        self._stopping = threading.Event()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def start(self) -> None:
        """Begin to answer."""
        for listener in self._listeners.values():
            self._poller.add(listener)
        for thread in (*self.threads, self._watcher):
            thread.start()

    def stop(self, grace: float = 5.0) -> None:
        """Accept nothing more, answer the requests that have come, for at most `grace` seconds, and close everything."""
        self._stopping.set()
        for listener in self._listeners.values():
            # At once, and before it can be closed: a thread may wait for it.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        for connection in list(self._connections.values()):
            if connection.idle:
                connection.shut()
        end = time.monotonic() + grace
        while time.monotonic() < end and any(not connection.idle for connection in list(self._connections.values())):
            time.sleep(0.01)
        self._poller.wake()
        for thread in (*self.threads, self._watcher):
            thread.join(max(0.0, end - time.monotonic()) + 0.1)
        for listener in self._listeners.values():
            listener.close()
        for connection in list(self._connections.values()):
            connection.shut()

    def _work(self) -> None:
        while (number := self._poller.wait()) is not None:
            try:
                self._ready(number)
            except Exception:  # a bug must not take one thread after the other
                log.exception("a bug in the HTTP server")
                self._drop(number)
            # Whoever waits for Python's lock is woken each time that it is free, but comes too late while this thread goes
            # on: with 32 clients on one processor the slowest hundredth of the answers took three times the median.
            give_way()

    def _ready(self, number: int) -> None:
        listener = self._listeners.get(number)
        if listener is not None:
            self._accept(listener)
        elif (connection := self._connections.get(number)) is not None:
            self._serve(connection)

    def _accept(self, listener: socket.socket) -> None:
        if self._stopping.is_set():
            return
        for new in accepted(listener):
            connection = Connection(new, time.monotonic() + IDLE_SECONDS)
            self._connections[connection.number] = connection
            self._poller.add(new)
        self._poller.arm(listener)

    def _serve(self, connection: Connection) -> None:
        connection.working = True
        if not connection.transfer():
            self._drop(connection.number)
            return
        claim = object()
        while not connection.pending and (request := self._next(connection)) is not None:
            response = self._answered(connection, request, claim)
            if response is None:
                return  # it was answered for this thread, and is another's now
            if response.used:
                response.used()
            connection.send(response, request, closes(response, request) or self._stopping.is_set())
        self._give_back(connection)

    def _next(self, connection: Connection) -> Request | None:
        if connection.closing:
            return None
        try:
            return connection.next()
        except Malformed as error:
            connection.send(page(error.status), None, True)
            connection.malformed = True
            return None

    def _answered(self, connection: Connection, request: Request, claim: object) -> Response | None:
        if self._limit is None:
            return self._handler(request)
        connection.running = (claim, request, time.monotonic() + self._limit)
        response = self._handler(request)
        return response if connection.claim(claim) else None

    def _give_back(self, connection: Connection) -> None:
        if connection.closing and not connection.pending and not self._lingers(connection):
            self._drop(connection.number)
            return
        now = time.monotonic()
        connection.deadline = self._deadline(connection, now)
        if connection.asks_to_go_on():
            connection.go_on()
        connection.working = False
        try:
            self._poller.arm(connection.socket, writing=bool(connection.pending))
        except OSError:
            self._drop(connection.number)

    def _lingers(self, connection: Connection) -> bool:
        if connection.malformed and not connection.lingers:
            connection.linger()
        return connection.lingers

    def _deadline(self, connection: Connection, now: float) -> float:
        if connection.lingers:
            return connection.deadline if connection.deadline < now + LINGER_SECONDS else now + LINGER_SECONDS
        if connection.pending or connection.idle:
            return now + IDLE_SECONDS
        if not connection.reads_body:
            return connection.begun + HEAD_SECONDS
        earned = connection.received / SLOWEST_BODY
        return min(now + IDLE_SECONDS, connection.begun + HEAD_SECONDS + earned)

    def _drop(self, number: int) -> None:
        connection = self._connections.pop(number, None)
        if connection is not None:
            with contextlib.suppress(OSError, ValueError):
                self._poller.remove(connection.socket)
            connection.close()

    def _watch(self) -> None:
        step = WATCH_SECONDS if self._limit is None else min(WATCH_SECONDS, self._limit / 4)
        while not self._stopping.wait(step):
            now = time.monotonic()
            for connection in list(self._connections.values()):
                running = connection.running
                if running is not None and running[2] < now:
                    self._answer_late(connection, running[0], running[1])
                elif not connection.working and connection.deadline < now:
                    connection.shut()

    def _answer_late(self, connection: Connection, claim: object, request: Request) -> None:
        if self._too_late is None or not connection.claim(claim):
            return
        try:
            response = self._too_late(request)
            if response.used:
                response.used()
            connection.send(response, request, True)
            self._give_back(connection)
        except Exception:  # the watch goes on for the others
            log.exception("a bug in the HTTP server")


def serve(
    host: str,
    port: int,
    handler: Handler,
    threads: int,
    *,
    limit: float | None = None,
    too_late: Handler | None = None,
) -> HttpServer:
    """A bound server, still to be started; OSError, naming the address, when it cannot be bound."""
    return HttpServer(listen(host, port), handler, threads, limit=limit, too_late=too_late)
