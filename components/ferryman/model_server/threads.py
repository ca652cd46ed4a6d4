"""Threads that never keep the process from ending: a function called again and again, and pools of workers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("ferryman.model_server")

LOOK = 0.5
"""Seconds between two looks at whether the server ends while something is waited for."""


class Periodic:
    """Calls `function` now and then every `seconds`, counted from start to start, in a thread of its own."""

    def __init__(self, name: str, seconds: float, function: Callable[[], None]) -> None:
        self._seconds, self._function = seconds, function
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """No further call begins."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._function()
            except Exception:
                # The loop is all that keeps models loading.
                log.exception("%s goes on after a bug", self._thread.name)
            self._stopping.wait(max(0.0, began + self._seconds - time.monotonic()))


class Pool:
    """Workers; without any, work is done by whoever gives it. Source: `inline_executor.h`, `threadpool_executor.h`."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._most = name, threads
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], None]) -> None:
        """Do `work` when a worker is free."""
        if self._most == 0:
            work()
            return
        if len(self._threads) < self._most:
            self._threads.append(threading.Thread(target=self._run, name=self._name, daemon=True))
            self._threads[-1].start()
        self._work.put(work)

    def join(self, ends: Callable[[], bool]) -> None:
        """Return when all work is done, or when `ends`; none may be given any more."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            while thread.is_alive() and not ends():
                thread.join(LOOK)

    def _run(self) -> None:
        while work := self._work.get():
            try:
                work()
            except Exception:
                log.exception("%s goes on after a bug", self._name)
