"""How far a step at work has come, in a small file for whoever looks from outside; no decision rests on it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from ferryman.artifacts.evidence import Evidence, Number
from ferryman.storage.local import atomic_write

SELDOM = 0.5
"""Seconds between two writes: nobody sees more, and a write that survives a power cut costs milliseconds."""

EPOCHS_KEPT = 200
"""Epochs whose numbers are kept: more than a curve in a terminal has room for."""


class StepProgress(Evidence):
    """`progress/STEP.json` in the run's folder."""

    schema_version: int = 1
    pid: int
    """The step's process, where it runs on this machine."""

    rows: int = 0
    """Rows read so far (prepare), or rows in an epoch (train)."""

    epoch: int = 0
    """Epochs that are finished."""

    epochs: int = 0
    """Epochs at most; 0 for a step that has none."""

    seconds: float = 0.0
    """Since the first epoch began."""

    numbers: list[dict[str, Number]] = []
    """What each of the last epochs gave, named as in `history.json`."""


class ProgressFile:
    """Where one step says how far it has come."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, -SELDOM

    def leave(self, *, now: bool = False, **said: Any) -> None:
        """Say it, unless something was said a moment ago; `now` says it all the same."""
        at = time.monotonic()
        if now or at - self._written >= SELDOM:
            self._written = at
            # A view that has nothing to show must not end a step.
            with contextlib.suppress(OSError):
                atomic_write(self._path, StepProgress(pid=os.getpid(), **said).model_dump_json().encode())
