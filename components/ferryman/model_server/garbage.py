"""Python's collector of cycles, kept out of the requests.

It would run after so and so many new objects, in the middle of a request, and look at all that TensorFlow's modules hold:
0.3 s in which nothing is answered, and a body of JSON has thousands of objects. Requests leave no cycles behind, so that a
look now and then is enough.
"""

from __future__ import annotations

import gc
import time

from ferryman.model_server.threads import Periodic

SECONDS = 1.0
"""Between two looks."""

LONG = 0.02
"""Seconds of a look after which what it left is not looked at again: that is what was imported."""


class Garbage(Periodic):
    """Collects cycles now and then, and nowhere else while it runs."""

    def __init__(self) -> None:
        super().__init__("garbage", SECONDS, collect)

    def start(self) -> None:
        """Begin; until `stop` no allocation makes the collector run."""
        gc.disable()
        super().start()

    def stop(self) -> None:
        """Leave it to Python again."""
        super().stop()
        gc.enable()


def collect() -> None:
    """Free cycles; what is found to be much and to stay is never looked at again."""
    begun = time.thread_time()
    gc.collect()
    if time.thread_time() - begun > LONG:
        gc.freeze()
