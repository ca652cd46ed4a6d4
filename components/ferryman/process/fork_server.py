"""The fork server: a process that has imported what steps need, started nothing of it, and forks one child a request.

    python -m ferryman.process.fork_server DESCRIPTOR [NAME=VALUE ...] MODULE ...

Not `multiprocessing.forkserver`: its children share a session, an environment, a folder and an output, and do not die
with whoever asked for them. A fork copies one thread alone, so it is sound only where there is no other one: after the
imports the threads are counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal as signals
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferryman.process.warm import check_peer

FREE = ("CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL")
"""Variables in which a child may differ from this process, beside ours (FERRYMAN_...): the first is read when
TensorFlow starts, which the child does itself, and the second only says how much is logged."""

HASH_SEED = "PYTHONHASHSEED"
"""A child that does not ask for one is content with any."""

PR_SET_PDEATHSIG = 1

REQUEST_LIMIT = 5.0
"""Seconds in which a request must have arrived: whoever asks sends it at once."""


@dataclass(frozen=True)
class Job:
    """What a forked child is to be."""

    module: str
    arguments: list[str]
    log: str
    environment: dict[str, str]
    cwd: str
    python: str


@dataclass(eq=False)
class Child:
    """A forked process and the connection of whoever asked for it."""

    connection: socket.socket
    pid: int
    process: int
    """Its pidfd."""


def main() -> None:
    """Import, serve, and become what was asked for in each child."""
    descriptor, *words = sys.argv[1:]
    # It listens already: whoever connects before the imports are done waits for them.
    with socket.socket(fileno=int(descriptor)) as listener:
        listener.set_inheritable(False)
        job = ForkServer(listener, preload(words)).serve()
    # Only a child comes here.
    sys.argv = [job.module, *job.arguments]
    runpy.run_module(job.module, run_name="__main__", alter_sys=True)


def preload(words: Sequence[str]) -> dict[str, str]:
    """Import modules, with the variables among `words` set for as long as that takes; the variables that they set.

    Raises:
        RuntimeError: an import has started threads that stay.
    """
    before = dict(os.environ)
    lent = dict(word.split("=", 1) for word in words if "=" in word)
    os.environ.update({**lent, **before})
    for word in words:
        if "=" not in word:
            importlib.import_module(word)
    left = {name: value for name, value in os.environ.items() if name not in before and name not in lent}
    _replace_environment(before)
    _expect_one_thread()
    # What was imported stays for good: a collection that touched it would copy its pages into every child.
    gc.collect()
    gc.freeze()
    return left


def _expect_one_thread() -> None:
    # OpenBLAS ends its threads itself before a fork and starts them again where they are needed.
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    threads = [Path(f"/proc/self/task/{task}/comm").read_text().strip() for task in os.listdir("/proc/self/task")]
    if len(threads) > 1:
        raise RuntimeError(f"after the imports {len(threads)} threads run ({', '.join(threads)}), expected one")


class ForkServer:
    """Accepts requests, forks, and tells how children ended; one connection a child."""

    def __init__(self, listener: socket.socket, imported: Mapping[str, str]) -> None:
        self._listener, self._pid = listener, os.getpid()
        self._imported = imported
        """Variables that the imports set: a fresh process would have them too once it has imported the same."""
        self._environment = dict(os.environ)
        self._children: set[Child] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> Job:
        """Serve for ever; returns in forked children alone, each with its job."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    job = self._accept()
                    if job:
                        return job
                elif key.data in self._children:
                    self._attend(key.data, ended=key.fd == key.data.process)

    def _accept(self) -> Job | None:
        """One request: its job in the child that was forked for it, None here."""
        connection, _ = self._listener.accept()
        try:
            connection.settimeout(REQUEST_LIMIT)
            check_peer(connection)
            job = Job(**json.loads(_line(connection)))
            self._check(job)
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
        except (OSError, ValueError, TypeError) as error:
            _tell(connection, {"refused": str(error)})
            connection.close()
            return None
        if pid:
            self._keep(Child(connection, pid, os.pidfd_open(pid)))
            return None
        self._leave()
        become(job, connection, self._pid, self._imported)
        return job

    def _check(self, job: Job) -> None:
        """ValueError when a fresh process would be another one than a fork of this."""
        if job.python != sys.executable:
            raise ValueError(f"the fork server runs {sys.executable}, the child wants {job.python}")
        here, wanted = {**self._imported, **self._environment}, {**self._imported, **job.environment}
        differ = sorted(
            name
            for name in here.keys() | wanted.keys()
            if here.get(name) != wanted.get(name) and not (name in FREE or name.startswith("FERRYMAN_"))
        )
        if HASH_SEED in differ and HASH_SEED not in wanted:
            differ.remove(HASH_SEED)
        if differ:
            raise ValueError(f"the fork server has another environment: {', '.join(differ)}")

    def _keep(self, child: Child) -> None:
        self._children.add(child)
        self._selector.register(child.connection, selectors.EVENT_READ, child)
        self._selector.register(child.process, selectors.EVENT_READ, child)

    def _attend(self, child: Child, *, ended: bool) -> None:
        """Reap a child that has ended; end one whose parent has."""
        if ended:
            # Before it is reaped, while nobody else can have its number: its session ends with it.
            _kill_session(child.pid)
            _, status, usage = os.wait4(child.pid, 0)
            cpu_seconds, peak_bytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
            _tell(child.connection, {"status": status, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes})
            self._forget(child)
        elif not _still_there(child.connection):
            self._selector.unregister(child.connection)
            _kill_session(child.pid)

    def _forget(self, child: Child) -> None:
        self._children.discard(child)
        for part in (child.connection, child.process):
            with contextlib.suppress(KeyError):
                self._selector.unregister(part)
        child.connection.close()
        os.close(child.process)

    def _leave(self) -> None:
        """In a child: nothing of the server's stays open."""
        self._selector.close()
        self._listener.close()
        for child in self._children:
            child.connection.close()
            os.close(child.process)


def become(job: Job, connection: socket.socket, server: int, imported: Mapping[str, str]) -> None:
    """In a child: all that a fresh process would have, and nothing that it would not; then tell that it began."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signals.SIGKILL)
        if os.getppid() != server:
            os._exit(125)
        os.setsid()
        os.chdir(job.cwd)
        for path, flags, descriptors in (
            (os.devnull, os.O_RDONLY, (0,)),
            (job.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, (1, 2)),
        ):
            opened = os.open(path, flags, 0o666)
            for descriptor in descriptors:
                os.dup2(opened, descriptor)
            os.close(opened)
        _replace_environment({**imported, **job.environment})
        _reseed()
    except OSError as error:
        _tell(connection, {"refused": str(error)})
        os._exit(125)
    own = os.pidfd_open(os.getpid())
    with contextlib.suppress(OSError):
        socket.send_fds(connection, [json.dumps({"pid": os.getpid()}).encode() + b"\n"], [own])
    os.close(own)
    connection.close()


def _reseed() -> None:
    """Chance that was drawn at import is drawn anew: every fork would otherwise have the same."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _replace_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(1 << 20)
        if not part:
            raise ConnectionError("the request ends in its middle")
        received += part
    return received


def _tell(connection: socket.socket, told: Mapping[str, Any]) -> None:
    # Whoever asked may be gone; its end is seen elsewhere.
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(told).encode() + b"\n")


def _still_there(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(4096))
    except OSError:
        return False


def _kill_session(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        # It has no session yet at its very start.
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signals.SIGKILL)


if __name__ == "__main__":
    main()
