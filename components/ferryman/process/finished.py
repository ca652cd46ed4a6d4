"""How a process ended: its code or signal, what it used, what it said of its own failure."""

from __future__ import annotations

import json
import signal as signals
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ChildError:
    """What a child of ours said about its own failure."""

    kind: str
    text: str
    exit_code: int


@dataclass(frozen=True)
class Finished:
    """How a process ended and what it used; exactly one of `exit_code` and `signal` is set."""

    argv: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    timed_out: bool
    error: ChildError | None
    log: Path
    lost: bool = False
    """Whether it died through no fault of its own, with the fork server that it came from: worth another try."""

    cause: str = ""
    """What ended it from outside, as whoever ran it knows: a failure whatever its exit code is and it said itself."""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0 and not self.timed_out and not self.cause

    def reason(self) -> str:
        """Why it failed, in one line; empty when it did not."""
        if self.ok:
            return ""
        if self.cause:
            return self.cause
        if self.timed_out:
            return f"took longer than its limit; stopped after {self.seconds:.0f} s"
        if self.error:
            return self.error.text
        if self.lost:
            return "the fork server that it came from ended, and it with it"
        if self.signal is not None:
            name = signals.Signals(self.signal).name
            hint = " (the kernel does so when memory runs out)" if self.signal == signals.SIGKILL else ""
            return f"killed by {name}{hint}"
        return f"exit code {self.exit_code}; {last_line(self.log) or 'it said nothing'}"


def last_line(log: Path, window: int = 4096) -> str:
    """The last line of a log that is not blank, whatever bytes it holds; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - window))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def read_error(path: Path) -> ChildError | None:
    """What a child left in its error file; None when it left nothing."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ChildError(str(document["kind"]), str(document["text"]), int(document["exit_code"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
