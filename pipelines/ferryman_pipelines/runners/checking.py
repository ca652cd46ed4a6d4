"""A check as seen from outside: one process does it, in a folder that is removed; its stages are told as they end."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ferryman.checks.finding import STEP, Finding, error
from ferryman.checks.ground import Request
from ferryman.checks.stage import Told
from ferryman.process import Finished, spawn

REQUEST, TOLD, LOG = "request.json", "told.jsonl", "check.log"

LIMIT = 900.0
"""Seconds after which a check is stopped: it aims at less than a minute, and a model may be a large one."""

PAUSE = 0.05
"""Seconds between two looks at what was told."""


def run_checks(request: Request, told: Callable[[Told], None], log: Callable[[str], None]) -> list[Finding]:
    """All findings; `told` gets each stage as it begins and ends, `log` the whole output of the process at the end.

    A process that dies or takes too long is a finding too, at the stage that it was in.
    """
    with tempfile.TemporaryDirectory(prefix="ferryman-check-") as place:
        folder = Path(place)
        request.write(folder / REQUEST)
        news = _News(folder / TOLD, told)
        process = spawn([sys.executable, "-m", "ferryman.checks", place], log=folder / LOG)
        deadline = time.monotonic() + LIMIT
        try:
            while (finished := process.poll()) is None and time.monotonic() < deadline:
                news.tell()
                time.sleep(PAUSE)
            finished = finished or process.wait(limit=0.0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        news.tell()
        log((folder / LOG).read_text(encoding="utf-8", errors="replace"))
        return [*news.findings, *_ending(finished, news.at)]


def _ending(finished: Finished, stage: str) -> list[Finding]:
    if finished.ok:
        return []
    advice = "try a smaller batch_size or model; `ferryman --debug check SPEC` shows all that it said"
    return [error(f"the stage {stage}", f"its process ended: {finished.reason()}", advice, STEP)]


class _News:
    """What the process has told, read line by line as it grows."""

    def __init__(self, path: Path, told: Callable[[Told], None]) -> None:
        self._path, self._told, self._read = path, told, 0
        self.findings: list[Finding] = []
        self.at = "spec"
        """The stage that began last."""

    def tell(self) -> None:
        """Tell all whole lines since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                news = Told.model_validate_json(line)
                self.at = news.stage
                self.findings += news.findings
                self._told(news)
