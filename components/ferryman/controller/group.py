"""The group process: controller, agents and servers of one local group behind one lock.

Whoever holds the lock next continues from the record. `ferryman serve` is this process in the foreground; `run` and
`rollback` start it as their own child while they wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from ferryman.controller.controller import Controller
from ferryman.controller.lock import ENDPOINTS, Endpoints, group_lock, lock_held, read_endpoints
from ferryman.controller.ports import FolderRecord
from ferryman.errors import UnavailableError
from ferryman.process import Process, one_line, spawn
from ferryman.serving.agent import Agent
from ferryman.serving.record import FILE, GroupRecord, parse_or_none
from ferryman.serving.report import Report
from ferryman.serving.server import ServerProcess, check_free
from ferryman.storage.local import atomic_write

__all__ = [
    "Endpoints",
    "GroupProcess",
    "describe",
    "ensure_group",
    "lock_held",
    "read_endpoints",
    "serve_until_stopped",
]

log = logging.getLogger(__name__)

REPLICA = "replica-0"
TICK = 0.1
"""Seconds between two looks of the controller, and of the agent, while nothing moves."""

BUSY = 0.02
"""The same while a release moves: it takes a dozen looks of each, which would else be two seconds of its time."""

CALM = 0.5
"""Seconds between two looks of an agent that has nothing to do."""

TROUBLE = 1.0
"""Seconds until an agent goes on after an error of its own (a full disk, say): what serves goes on serving."""

RESTART = 2.0
"""Seconds between two starts of a child that keeps ending."""


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
        self.folder = folder.resolve()
        self._host, self._ports = host, (grpc_port, rest_port)
        self._soak_seconds, self._told = soak_seconds, _harmless(told)
        self._stopped = threading.Event()
        self._said = self._complained = ""
        self._published: ServerProcess | None = None

    def stop(self) -> None:
        """Ask it to end."""
        self._stopped.set()

    def run(self) -> None:
        """Hold the lock and work until `stop`.

        Raises:
            UnavailableError: the lock is held, a port is taken, or a newer ferryman wrote the record.
        """
        with group_lock(self.folder):
            endpoints = self.folder / ENDPOINTS
            # Of an earlier life that was killed: nobody may believe it.
            endpoints.unlink(missing_ok=True)
            for port in self._ports:
                if port:
                    check_free(self._host, port)
            agent = Agent(self.folder, REPLICA, host=self._host, ports=self._ports, first=True)
            # A report of an earlier life must not count for what this server has yet to prove.
            (agent.place / "report.json").unlink(missing_ok=True)
            controller = Controller(
                self.folder, FolderRecord(self.folder), [REPLICA], self._soak_seconds, told=self._told
            )
            thread = threading.Thread(target=self._attend, args=(agent,), name="agent", daemon=True)
            thread.start()
            try:
                self._control(controller, agent)
            finally:
                self._stopped.set()
                endpoints.unlink(missing_ok=True)
                controller.stop()
                if agent.server:
                    # Also frees the agent's thread from a call to it.
                    agent.server.process.terminate(grace=5.0)
                thread.join(timeout=10.0)
                agent.stop()

    def _control(self, controller: Controller, agent: Agent) -> None:
        decided, pause = False, TICK
        while not self._stopped.wait(pause):
            try:
                record = controller.step()
                self._publish(agent)
            except (OSError, UnavailableError) as error:
                if isinstance(error, UnavailableError) and not decided:
                    # A record that this version cannot read: told to whoever starts it, not waited for.
                    raise
                self._say(f"the controller waits: {one_line(error)}")
                self._stopped.wait(TROUBLE)
                continue
            decided = True
            pause = BUSY if record and _moves(record) else TICK
            if record and (self._published or _moves(record)):
                # Where it listens comes first: whoever reads that it serves may ask at once.
                self._say(describe(record))

    def _attend(self, agent: Agent) -> None:
        """The agent's loop: at once on a new record and while there is something to do, else now and then."""
        done: tuple[int, int] | None = None
        looked = 0.0
        while not self._stopped.is_set():
            try:
                record = parse_or_none(self.folder / FILE)
                fence = record.fence if record else None
                if fence is None or fence != done or time.monotonic() - looked > CALM:
                    report, looked = agent.step(record), time.monotonic()
                    settled = not report.absent and all(model.state == "ok" for model in report.models.values())
                    done = fence if settled and agent.administrator.up() else None
                    self._complain(report)
                self._stopped.wait(BUSY if record and _moves(record) else TICK)
            except Exception as error:
                # What serves goes on serving; the next look may find the trouble gone.
                log.exception("the agent")
                self._complaint(f"the agent waits: {one_line(error)}")
                self._stopped.wait(TROUBLE)

    def _complain(self, report: Report) -> None:
        """Say what is bad, once: after the commit nothing but a person changes it."""
        bad = [f"{name}: {model.why}" for name, model in sorted(report.models.items()) if model.state == "bad"]
        self._complaint("; ".join(bad))

    def _complaint(self, text: str) -> None:
        if text and text != self._complained:
            self._told(f"trouble: {text}")
        self._complained = text

    def _say(self, text: str) -> None:
        if text != self._said:
            self._told(text)
        self._said = text

    def _publish(self, agent: Agent) -> None:
        """Tell where the server listens, while it does."""
        path, server = self.folder / ENDPOINTS, agent.administrator.listening_server()
        if server is None:
            path.unlink(missing_ok=True)
            if self._published and (ended := self._published.process.poll()):
                self._told(f"the server ended: {ended.reason() or 'exit code 0'}; a new one starts")
            self._published = None
        elif self._published is not server:
            found = Endpoints(
                pid=os.getpid(),
                grpc=server.grpc_address,
                rest=server.rest_url,
                server=server.description,
                started=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            atomic_write(path, found.model_dump_json().encode())
            self._published = server
            if not server.stand_in:
                # It has no flag for the address, and its ModelService no authentication.
                self._told("TensorFlow Serving listens on every address of this machine, whatever --host says")
            self._told(f"listening: gRPC {found.grpc}, REST {found.rest} ({found.server})")


def _harmless(told: Callable[[str], None]) -> Callable[[str], None]:
    """`told`, whose trouble (a full disk, a reader that went away) is none of what serves."""

    def tell(text: str) -> None:
        with contextlib.suppress(OSError):
            told(text)

    return tell


def _moves(record: GroupRecord) -> bool:
    """Whether a release or a rollback is under way; a soak only waits."""
    return any(part.phase not in {"idle", "soak"} for part in record.models.values())


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

    Leaving the block ends the child, and only ours.

    Raises:
        UnavailableError: (the function) the group process cannot run here, with its reason.
    """
    child: Process | None = None
    started, failures = float("-inf"), 0

    def attend() -> None:
        nonlocal child, started, failures
        finished = child.poll() if child else None
        if child and finished is None:
            return
        if child and finished and finished.error:
            failures += 1
            if failures > 2 and not lock_held(folder):
                raise UnavailableError(f"no group process can run: {finished.reason()} (log: {log})")
        child = None
        # A child that ends at once must not be started in a loop.
        if not lock_held(folder) and time.monotonic() - started > RESTART:
            started = time.monotonic()
            argv = [sys.executable, "-m", "ferryman.controller", str(folder)]
            # Not for its own start: its servers come warm, and it must not outlive what they came from.
            child = spawn(argv, log=log, warm_start=True)

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
