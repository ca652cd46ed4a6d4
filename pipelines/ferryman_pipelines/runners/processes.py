"""Tasks as processes of this environment, by the one spawner."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ferryman.artifacts.code import code_digest
from ferryman.process import Finished, run
from ferryman.spec.targets import StepOptions
from ferryman_pipelines.runners.call import Call


class Processes:
    """Runs calls in the run's folder, each no longer than its step's limit in seconds."""

    def __init__(self, folder: Path, limits: Mapping[str, float]) -> None:
        self._folder, self._limits = folder, limits

    def code(self, step: str) -> str:
        """A digest of the package of this environment."""
        return code_digest()

    def execute(self, call: Call, environment: Mapping[str, str]) -> Finished:
        """Run the call in a process of its own, warm where that is possible."""
        place = self._folder / "calls" / call.function
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        call.output_file.parent.mkdir(parents=True, exist_ok=True)
        (place / "component.py").write_text(call.source, encoding="utf-8")
        document = {
            "source": str(place / "component.py"),
            "function": call.function,
            "executor_input": json.dumps(call.executor_input),
        }
        (place / "call.json").write_text(json.dumps(document), encoding="utf-8")
        return run(
            [sys.executable, "-m", "ferryman_pipelines.runners.bootstrap", str(place / "call.json")],
            log=self._folder / "logs" / f"{call.function}.log",
            limit=self._limits.get(call.function, StepOptions().limit),
            env=environment,
            cwd=place,
            warm_start=True,
        )
