"""The threads that answer calls: a thread pool without what gRPC does not use of one.

gRPC asks of a pool only that a call runs, and of its future only to be told of the end (grpcio 1.85, _server.py). The
standard library's future has a lock and a condition that each call pays for: without them the server answers 6 to 15 %
more requests a second, and so does an echo server.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

log = logging.getLogger("ferryman.model_server")

Work = tuple["Ended", Callable[..., Any], tuple[Any, ...]]


class Ended(Future[Any]):
    """Calls back when a call has ended. It keeps no result, cannot be waited for and not be cancelled."""

    def __init__(self) -> None:
        # Not the base's: its condition is what costs.
        self._callbacks: list[Callable[[Any], object]] = []
        self._over = False

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call `fn` with this future once the call has ended, or now."""
        self._callbacks.append(fn)
        if self._over:
            self._call_back()

    def end(self) -> None:
        """The call has ended."""
        self._over = True
        self._call_back()

    def _call_back(self) -> None:
        # Both threads may be here: an element goes to one of them.
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:
                return
            callback(self)


class Threads(ThreadPoolExecutor):
    """`number` threads; calls that find all of them busy wait in the order in which they came."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(number)
        self._calls: SimpleQueue[Work | None] = SimpleQueue()
        for at in range(number):
            threading.Thread(target=self._work, name=f"{name}-{at}", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Ended:
        """Run `fn` with the arguments in one of the threads; keywords are not taken."""
        ended = Ended()
        self._calls.put((ended, fn, args))
        return ended

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """The threads end when they have run what waits."""
        for _ in range(self._max_workers):
            self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            ended, fn, args = work
            try:
                fn(*args)
            except Exception:  # the thread is needed for the next call
                log.exception("a bug in a call")
            ended.end()
            # Nothing of a request may be kept until the next one comes.
            del work, ended, fn, args
