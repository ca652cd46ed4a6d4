"""The end by a signal: at once, or first after what runs was answered. Nothing heavy is imported here."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)

FAILED = 255
"""The real server's exit code for anything that keeps it from starting, and for --help."""


def at_once() -> None:
    """From now on a signal ends the process at once and without a word, Ctrl-C too."""
    for number in SIGNALS:
        # The first process of a container has no default: what it does not handle is dropped.
        signal.signal(number, _end if os.getpid() == 1 else signal.SIG_DFL)


class Ending:
    """From now on the first signal is waited for; the second one ends the process at once."""

    def __init__(self) -> None:
        self._first: int | None = None
        # A pipe, because a sleep or a lock of the main thread goes on when another thread gets the signal.
        self._told, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._take)

    def wait(self) -> str:
        """The name of the first signal, when it has come."""
        while self._first is None:
            os.read(self._told, 64)
        return signal.Signals(self._first).name

    def _take(self, number: int, frame: Any) -> None:
        if self._first is None:
            self._first = number
        else:
            _end(number, frame)


def _end(number: int, frame: Any) -> NoReturn:
    if os.getpid() != 1:
        # As if nobody had handled it, which is what the parent is then told.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)
