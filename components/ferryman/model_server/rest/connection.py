"""One connection of a client: what came and what is still to go. One thread at a time uses it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from ferryman.model_server.rest.message import Inbox, Request
from ferryman.model_server.rest.response import CONTINUE, Response, head

RECEIVE = 64 << 10
"""Bytes read at once."""

JOINED = 32 << 10
"""Bytes of a body up to which it is sent in one piece with its head."""


class Connection:
    """A client's socket, without blocking."""

    def __init__(self, client: socket.socket, deadline: float) -> None:
        self.socket, self.number = client, client.fileno()
        self.deadline = deadline
        self.pending: list[memoryview] = []
        """What the client has not yet taken."""

        self.closing = self.working = self.malformed = False
        self.running: tuple[object, Request, float] | None = None
        """Who answers which request, until when."""

        self.begun, self.received = 0.0, 0
        """When the request that comes in began, and how many of its bytes there are."""

        self._inbox = Inbox()
        self._continued = self._discarding = False
        self._lock = threading.Lock()

    @property
    def idle(self) -> bool:
        """Whether nothing of a request is here and nothing of an answer is left."""
        return not self.working and not self.pending and self._inbox.idle

    @property
    def lingers(self) -> bool:
        """Whether what comes is dropped until the client ends the connection."""
        return self._discarding

    @property
    def reads_body(self) -> bool:
        """Whether a request's head has come and its body is coming."""
        return self._inbox.reads_body

    def transfer(self) -> bool:
        """Read or write what is possible now; whether the connection still lives."""
        if self.pending:
            return self._write()
        try:
            received = self.socket.recv(RECEIVE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not received:
            return False
        if self._discarding:
            return True
        if self._inbox.idle:
            self._begin()
        self.received += len(received)
        self._inbox.feed(received)
        return True

    def _begin(self) -> None:
        self.begun, self.received, self._continued = time.monotonic(), 0, False

    def next(self) -> Request | None:
        """The next whole request; Malformed when what came can be none."""
        request = self._inbox.next()
        if request is not None:
            self._begin()
        return request

    def asks_to_go_on(self) -> bool:
        """Whether the client waits for `100 Continue`."""
        return not self._continued and not self.pending and self._inbox.awaits_continue

    def go_on(self) -> None:
        """Tell the client to send the body."""
        self._continued = True
        with contextlib.suppress(OSError):
            self.socket.send(CONTINUE)

    def claim(self, claim: object) -> bool:
        """Whether the request that `claim` stands for was still to be answered; it then is its caller's alone to answer."""
        with self._lock:
            if self.running is None or self.running[0] is not claim:
                return False
            self.running = None
            return True

    def send(self, response: Response, request: Request | None, close: bool) -> None:
        """Answer; what the client does not take at once stays pending."""
        self.closing = close
        body = b"" if request is not None and request.method == "HEAD" else response.body
        start = head(response, request)
        parts = [start + body] if len(body) <= JOINED else [start, body]
        self.pending = [memoryview(part) for part in parts if part]
        self._write()

    def _write(self) -> bool:
        while self.pending:
            try:
                sent = self.socket.sendmsg(self.pending)
            except BlockingIOError:
                return True
            except OSError:
                self.closing, self.pending = True, []
                return False
            while self.pending and sent >= len(self.pending[0]):
                sent -= len(self.pending.pop(0))
            if sent:
                self.pending[0] = self.pending[0][sent:]
        return True

    def linger(self) -> None:
        """Send the end of the answer, and from now on drop what comes: closing at once would destroy the answer."""
        self._discarding = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def shut(self) -> None:
        """End it from any thread: whoever waits for it sees its end, and closes it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self.socket.close()
