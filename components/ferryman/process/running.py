"""A running child, however it was started."""

from __future__ import annotations

import contextlib
import os
import signal as signals
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ferryman.process.finished import Finished, read_error


@dataclass(frozen=True)
class Ended:
    """What the system says of a process that has ended."""

    status: int
    """As `wait` gives it."""

    cpu_seconds: float
    peak_bytes: int
    lost: bool = False
    """Whether nobody knows, because the fork server that would have known ended first."""


class Child(Protocol):
    """A process that can be asked whether it has ended; asked no more once it has."""

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session."""

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""


class Process:
    """A running child; `wait`, `poll`, `terminate` and `kill` may be called from any thread, any number of times."""

    def __init__(self, argv: Sequence[str], child: Child, log: Path, error_file: Path) -> None:
        self.argv, self.log, self.pid = tuple(argv), log, child.pid
        self._child, self._error_file = child, error_file
        self._started, self._lock = time.monotonic(), threading.Lock()
        self._finished: Finished | None = None
        self._timed_out = False

    def poll(self) -> Finished | None:
        """How it ended, or None while it runs."""
        with self._lock:
            if self._finished is None:
                ended = self._child.poll()
                if ended:
                    self._finished = self._end(ended)
            return self._finished

    def wait(self, limit: float | None = None) -> Finished:
        """Wait for its end; after `limit` seconds its whole session is killed and `timed_out` is set."""
        deadline = None if limit is None else time.monotonic() + limit
        pause = 0.002
        while (finished := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                self._timed_out = True
                self.kill()
                deadline = None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        return finished

    def terminate(self, grace: float = 10.0) -> Finished:
        """Ask it to end (SIGTERM) and kill it after `grace` seconds."""
        if self.poll() is None:
            self._send(signals.SIGTERM)
            deadline = time.monotonic() + grace
            while self.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
        self.kill()
        return self.wait()

    def kill(self) -> None:
        """Kill its whole session at once."""
        # Once it has ended its number may be another's.
        if self._finished is None:
            self._kill_session()

    def _kill_session(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signals.SIGKILL)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _end(self, ended: Ended) -> Finished:
        code = os.waitstatus_to_exitcode(ended.status)
        # A member of its session that outlives it would be an orphan.
        self._kill_session()
        return Finished(
            argv=self.argv,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            seconds=time.monotonic() - self._started,
            cpu_seconds=ended.cpu_seconds,
            peak_bytes=ended.peak_bytes,
            timed_out=self._timed_out,
            error=read_error(self._error_file),
            log=self.log,
            lost=ended.lost,
        )
