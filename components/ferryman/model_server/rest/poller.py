"""Which sockets are ready: each is told of once, to one of the threads that wait, until it is armed again."""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import threading
from typing import Protocol


class Poller(Protocol):
    """Readiness of sockets, shared by threads."""

    def add(self, connection: socket.socket) -> None:
        """Watch a socket until it can be read."""

    def arm(self, connection: socket.socket, *, writing: bool = False) -> None:
        """Watch a socket that was ready again, until it can be read or, if `writing`, written."""

    def remove(self, connection: socket.socket) -> None:
        """Forget a socket, before it is closed."""

    def wait(self) -> int | None:
        """The file descriptor of a socket that is ready, None after `wake`."""

    def wake(self) -> None:
        """Let every thread that waits, or will, go on."""

    def close(self) -> None:
        """Free it; no thread waits any more."""


class Epoll:
    """Linux: the kernel hands each event to one thread, so that no thread hands work to another."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._woken, self._wake = socket.socketpair()
        self._epoll.register(self._woken.fileno(), select.EPOLLIN)

    def add(self, connection: socket.socket) -> None:
        self._epoll.register(connection.fileno(), select.EPOLLIN | select.EPOLLONESHOT)

    def arm(self, connection: socket.socket, *, writing: bool = False) -> None:
        self._epoll.modify(connection.fileno(), (select.EPOLLOUT if writing else select.EPOLLIN) | select.EPOLLONESHOT)

    def remove(self, connection: socket.socket) -> None:
        self._epoll.unregister(connection.fileno())

    def wait(self) -> int | None:
        while not (ready := self._epoll.poll(-1, 1)):
            pass
        number: int = ready[0][0]
        return None if number == self._woken.fileno() else number

    def wake(self) -> None:
        self._wake.send(b"\0")

    def close(self) -> None:
        self._epoll.close()
        self._woken.close()
        self._wake.close()


class AnySystem:
    """Where there is no epoll: one thread at a time waits, and those that arm sockets interrupt it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._ready: list[int] = []
        self._asked: dict[int, tuple[socket.socket, int]] = {}
        self._stopping = False

    def add(self, connection: socket.socket) -> None:
        self.arm(connection)

    def arm(self, connection: socket.socket, *, writing: bool = False) -> None:
        with self._lock:
            events = selectors.EVENT_WRITE if writing else selectors.EVENT_READ
            self._asked[connection.fileno()] = (connection, events)
        self._interrupt()

    def remove(self, connection: socket.socket) -> None:
        # It is ready, so that the selector does not watch it.
        with self._lock:
            self._asked.pop(connection.fileno(), None)

    def wait(self) -> int | None:
        with self._turn:
            while not self._stopping:
                if self._ready:
                    return self._ready.pop()
                self._take_asked()
                for key, _ in self._selector.select():
                    if key.fileobj is self._woken:
                        self._woken.recv(4096)
                    else:
                        self._selector.unregister(key.fileobj)
                        self._ready.append(key.fd)
        return None

    def _take_asked(self) -> None:
        with self._lock:
            for connection, events in self._asked.values():
                self._selector.register(connection, events)
            self._asked.clear()

    def _interrupt(self) -> None:
        # When it is full, the thread that waits wakes anyway.
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"\0")

    def wake(self) -> None:
        self._stopping = True
        self._interrupt()

    def close(self) -> None:
        self._selector.close()
        self._woken.close()
        self._wake.close()


def poller() -> Poller:
    """The best one that this system has."""
    return Epoll() if hasattr(select, "epoll") else AnySystem()
