"""SIGTERM as an error, so that whatever waits can put its affairs in order as after Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from ferryman.errors import InterruptedRunError


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """In this block SIGTERM raises InterruptedRunError in the main thread."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise InterruptedRunError(f"stopped by {signal.Signals(number).name}")

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
