"""The children of the step: each rung is converted, and then run, in processes whose death is only a failed rung."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.process import Finished, Process, run, spawn
from ferryman.steps.convert.contract import Attempt
from ferryman.steps.convert.device import DeviceReport
from ferryman.steps.convert.rung import ENDPOINT
from ferryman.steps.convert.tensors import read_tensors

LIMIT = 900.0
"""Seconds that one child may take: ten times what a 100 MB network needed; a converter that hangs is a failed rung."""

# A conversion has no use for an accelerator, and this process may hold the only one.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1"}


CONVERTER = (sys.executable, "-m", "ferryman.steps.convert.rung")
DEVICE = (sys.executable, "-m", "ferryman.steps.convert.device")


class Converters:
    """Starts the conversions and collects what came of them; leaving the block ends whatever still runs."""

    def __init__(
        self,
        saved_model: Path,
        work: Path,
        limit: float = LIMIT,
        converter: Sequence[str] = CONVERTER,
        device: Sequence[str] = DEVICE,
        endpoint: str = ENDPOINT,
    ) -> None:
        self._endpoint = endpoint
        self._saved_model, self._work, self._limit = saved_model, work, limit
        self._converter, self._device = list(converter), list(device)
        self._running: dict[str, Process] = {}
        self.ops: dict[str, dict[str, int]] = {}
        """Rung -> op name -> count, of the rungs that ran."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.kill()

    def file(self, rung: str) -> Path:
        """Where the `.tflite` of a rung lies once it is converted."""
        return self._work / f"{rung}.tflite"

    def start(self, rung: str, calibration: Path | None = None) -> None:
        """Start to convert; `calibration` is the folder of the representative device tensors."""
        arguments = [str(self._saved_model), rung, str(self.file(rung)), self._endpoint]
        arguments += [str(calibration)] if calibration else []
        log = self._log(rung, "convert")
        self._running[rung] = spawn(self._converter + arguments, log=log, env=ENVIRONMENT, warm_start=True)

    def finish(self, rung: str, tensors: Path) -> Attempt:
        """Wait for the conversion, then answer the device tensors below `tensors` with what it made."""
        converted = self._running.pop(rung).wait(self._limit)
        if not converted.ok:
            return Attempt(rung, converted.seconds, reason=f"conversion: {converted.reason()}")
        size = self.file(rung).stat().st_size
        answered = self._answer(rung, tensors)
        if not answered.ok:
            return Attempt(rung, converted.seconds, reason=f"run: {answered.reason()}", size_bytes=size)
        report = DeviceReport.read(self._work / rung / "report.json")
        self.ops[rung] = report.ops
        answers = read_tensors(self._work / rung / "answers")
        return Attempt(rung, converted.seconds, size_bytes=size, answers=answers, latency=report.latency)

    def _answer(self, rung: str, tensors: Path) -> Finished:
        arguments = [str(self.file(rung)), str(tensors), str(self._work / rung), self._endpoint]
        return run(self._device + arguments, log=self._log(rung, "run"), limit=self._limit, env=ENVIRONMENT)

    def _log(self, rung: str, what: str) -> Path:
        return self._work / f"{rung}.{what}.log"
