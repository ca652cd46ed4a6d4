"""The group process: controller, agents and servers of one local group behind one lock.

Whoever holds the lock next continues from the record. `ferryman serve` is this process in the foreground; `run` and
`rollback` start it as their own child while they wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from ferryman.artifacts.evidence import Evidence
from ferryman.controller.controller import Controller
from ferryman.controller.ports import FolderRecord
from ferryman.errors import ArtifactError, UnavailableError
from ferryman.process import Process, spawn
from ferryman.serving.agent import Agent
from ferryman.serving.record import GroupRecord
from ferryman.serving.server import check_free, free_port, listening
from ferryman.storage.local import atomic_write

REPLICA = "replica-0"
TICK = 0.1
"""Seconds between two looks of the controller, and of the agent."""

ENDPOINTS = "endpoints.json"


class Endpoints(Evidence):
    """`endpoints.json`: where the group's server listens, while it does."""

    pid: int
    grpc: str
    rest: str


def read_endpoints(folder: Path) -> Endpoints | None:
    """Where the group's server listens now; None when no group process holds the lock."""
    if not lock_held(folder):
        return None
    try:
        return Endpoints.read(folder / ENDPOINTS)
    except ArtifactError:
        return None


@contextlib.contextmanager
def group_lock(folder: Path) -> Iterator[None]:
    """Hold the group's lock; the kernel gives it back however this process ends.

    Raises:
        UnavailableError: another process holds it; the message names its pid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        if not _locked(file):
            file.seek(0)
            holder = file.read().strip() or "?"
            raise UnavailableError(f"another process (pid {holder}) runs the group in {folder}; stop it first")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_held(folder: Path) -> bool:
    """Whether a group process runs."""
    try:
        with (folder / "lock").open("a+") as file:
            return not _locked(file)
    except OSError:
        return False


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class GroupProcess:
    """Runs the group in `folder` until it is stopped. Port 0 takes a free one."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        rest_port: int = 0,
        soak_seconds: float = 0.0,
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder
        self._host, self._ports = host, (grpc_port, rest_port)
        self._soak_seconds, self._told = soak_seconds, told
        self._stopped = threading.Event()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Ask it to end."""
        self._stopped.set()

    def run(self) -> None:
        """Hold the lock and work until `stop`.

        Raises:
            UnavailableError: the lock is held, or a port is taken.
        """
        with group_lock(self.folder):
            for port in self._ports:
                if port:
                    check_free(self._host, port)
            ports = (self._ports[0] or free_port(self._host), self._ports[1] or free_port(self._host))
            agent = Agent(self.folder, REPLICA, host=self._host, ports=ports, first=True)
            # A report of an earlier life must not count for what this server has yet to prove.
            (agent.place / "report.json").unlink(missing_ok=True)
            controller = Controller(self.folder, FolderRecord(self.folder), [REPLICA], self._soak_seconds)
            thread = threading.Thread(target=self._attend, args=(agent,), name="agent", daemon=True)
            thread.start()
            try:
                self._control(controller, agent)
            finally:
                self._stopped.set()
                (self.folder / ENDPOINTS).unlink(missing_ok=True)
                controller.stop()
                if agent.server:
                    agent.server.process.terminate(grace=5.0)
                thread.join(timeout=10.0)
                agent.stop()

    def _control(self, controller: Controller, agent: Agent) -> None:
        said = ""
        while not self._stopped.wait(TICK):
            if self._failure:
                raise self._failure
            record = controller.step()
            self._publish(agent)
            if record and (now := describe(record)) != said:
                self._told(now)
                said = now

    def _attend(self, agent: Agent) -> None:
        port = FolderRecord(self.folder)
        try:
            while not self._stopped.is_set():
                agent.step(port.read())
                time.sleep(TICK)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends the process with it
            self._failure = error

    def _publish(self, agent: Agent) -> None:
        server, path = agent.server, self.folder / ENDPOINTS
        if server is None or server.process.poll() is not None:
            path.unlink(missing_ok=True)
        elif (
            not path.exists() and listening(server.grpc_address) and listening(server.rest_url.removeprefix("http://"))
        ):
            found = Endpoints(pid=os.getpid(), grpc=server.grpc_address, rest=server.rest_url)
            atomic_write(path, found.model_dump_json().encode())
            self._told(f"listening: gRPC {found.grpc}, REST {found.rest}")


def describe(record: GroupRecord) -> str:
    """What the group holds, in one line."""
    words = []
    for name, part in sorted(record.models.items()):
        serves = f"version {part.stable.number}" if part.stable else "nothing yet"
        moving = "" if part.phase == "idle" else f", {part.phase} of {part.release or part.rollback}"
        words.append(f"{name}: {serves}{moving}")
    return "serves " + ("; ".join(words) if words else "nothing yet")


@contextlib.contextmanager
def ensure_group(folder: Path, log: Path) -> Iterator[Callable[[], None]]:
    """A function to call while waiting: it starts the group process as our child whenever nobody holds the lock.

    Leaving the block ends the child.
    """
    child: Process | None = None
    started = float("-inf")

    def attend() -> None:
        nonlocal child, started
        if child and child.poll() is None:
            return
        # A child that ends at once must not be started in a loop.
        if not lock_held(folder) and time.monotonic() - started > 2.0:
            started = time.monotonic()
            child = spawn([sys.executable, "-m", "ferryman.controller", str(folder)], log=log)

    try:
        yield attend
    finally:
        if child:
            child.terminate(grace=15.0)


def serve_until_stopped(group: GroupProcess) -> None:
    """Run a group process until SIGINT or SIGTERM."""

    def stop(number: int, frame: FrameType | None) -> None:
        group.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    group.run()
