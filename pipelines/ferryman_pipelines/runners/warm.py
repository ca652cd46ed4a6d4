"""The process that a run's steps are forked from: TensorFlow's import is paid once, while the pipeline is compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ferryman.process import warm_children
from ferryman_pipelines.runners.request import RunRequest

PRELOAD = (
    # pyarrow's allocator would start a thread at its import, and a process that forks must have one alone.
    "JE_ARROW_MALLOC_CONF=background_thread:false",
    # As the first code of a step sets them.
    "TF_CPP_MIN_LOG_LEVEL=3",
    "_KFP_RUNTIME=true",
    "tensorflow",
    "keras",
    "pyarrow",
    "kfp.dsl.executor",
    "ferryman.spec",
    "ferryman.artifacts.step",
)
"""What steps, conversions and servers import."""

ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""With a random seed kfp.local walks independent steps in another order each time; steps inherit it."""


@contextlib.contextmanager
def warm_steps(request: RunRequest, warn: Callable[[str], None], *, isolate: bool) -> Iterator[Callable[[], None]]:
    """A function to call while waiting: it warns, once, when the process is gone. `isolate` starts none."""
    if isolate:
        yield lambda: None
        return
    told = False
    with warm_children(PRELOAD, request.folder / "logs" / "fork_server.log", ENVIRONMENT) as server:

        def attend() -> None:
            nonlocal told
            finished = server.poll() if server and not told else None
            if finished:
                told = True
                warn(f"  steps start fresh from here on: the fork server ended ({finished.reason()})")

        yield attend
