"""A warm child: forked by the fork server on our behalf; the connection to the server stands for the child.

Linux only: its sockets have no file to be left behind, and PR_SET_PDEATHSIG is its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal as signals
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferryman.process.running import Ended

ADDRESS = "FERRYMAN_FORK_SERVER"
"""Environment variable: where our fork server listens (an abstract socket's name); children inherit it."""

LONGEST = 65536
"""Bytes of an answer: a few hundred at most, written at once."""

PATIENCE = 60.0
"""Seconds that a child waits for the server: an import of TensorFlow takes 3 to 20, and a fresh start would too."""


class WarmChild:
    """A child of the fork server."""

    def __init__(self, connection: socket.socket, pid: int, process: int, buffered: bytes) -> None:
        self.pid, self._connection, self._buffered = pid, connection, buffered
        # The child's own pidfd: its number may be another process's once the server has reaped it.
        self._process = process
        # The server kills the children of a connection that ends: this one must not end with a forgotten variable.
        _running.add(self)

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""
        while b"\n" not in self._buffered:
            if not select.select([self._connection], [], [], 0)[0]:
                return None
            received = _receive(self._connection)
            if not received:
                return self._close(self._lost())
            self._buffered += received
        told = json.loads(self._buffered)
        return self._close(Ended(told["status"], told["cpu_seconds"], told["peak_bytes"]))

    def _lost(self) -> Ended:
        """The server is gone: the kernel kills its children; seen to be over, so that another try meets nobody."""
        with contextlib.suppress(ProcessLookupError):
            signals.pidfd_send_signal(self._process, signals.SIGKILL)
        select.select([self._process], [], [], PATIENCE)
        return Ended(signals.SIGKILL, 0.0, 0, lost=True)

    def _close(self, ended: Ended) -> Ended:
        _running.discard(self)
        self._connection.close()
        os.close(self._process)
        return ended


_running: set[WarmChild] = set()


def start(words: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path | None) -> WarmChild | None:
    """The child, forked; None where that cannot be, after the reason was written to its log."""
    address = environment.get(ADDRESS)
    if not address or words[:2] != [sys.executable, "-m"]:
        return None
    request = {
        "module": words[2],
        "arguments": words[3:],
        "log": str(log.resolve()),
        "environment": dict(environment),
        "cwd": str((cwd or Path.cwd()).resolve()),
        "python": sys.executable,
    }
    try:
        return _ask(address, request)
    except (OSError, ValueError, KeyError) as error:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"started fresh: {error}\n")
        return None


def _ask(address: str, request: Mapping[str, Any]) -> WarmChild:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(f"\0{address}")
        check_peer(connection)
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 1, socket.MSG_CMSG_CLOEXEC)
        if not answer:
            raise ConnectionError("the fork server ended")
        line, _, rest = answer.partition(b"\n")
        told = json.loads(line)
        if not descriptors:
            raise ConnectionError(told.get("refused", "the forked child ended before it began"))
        return WarmChild(connection, told["pid"], descriptors[0], rest)
    except BaseException:
        connection.close()
        raise


def check_peer(connection: socket.socket) -> None:
    """PermissionError unless the other end is a process of the same user: anybody may connect to such a socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user = struct.unpack("3i", credentials)[1]
    if user != os.getuid():
        raise PermissionError(f"a process of user {user} is at the other end, expected {os.getuid()}")


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(LONGEST)
    except ConnectionResetError:
        return b""
