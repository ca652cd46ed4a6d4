"""What KFP asks of a local task, read from its command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferryman.errors import StepError


@dataclass(frozen=True)
class Call:
    """What KFP's command asks for: the source of one lightweight component, its function, its executor input."""

    command: tuple[str, ...]
    """KFP's own command, as a cluster runs it."""

    source: str
    function: str
    executor_input: dict[str, Any]

    @classmethod
    def parse(cls, command: Sequence[str]) -> Call:
        """The call inside a lightweight component's command line; StepError when it is something else."""
        values = {flag: command[at + 1] for at, flag in enumerate(command[:-1]) if flag.startswith("--")}
        source = next(
            (
                word
                for at, word in enumerate(command)
                if command[at - 1 : at] and "ephemeral_component" in command[at - 1]
            ),
            None,
        )
        if source is None or "--executor_input" not in values or "--function_to_execute" not in values:
            raise StepError(f"received a task that is no lightweight Python component: {command[:3]}")
        return cls(tuple(command), source, values["--function_to_execute"], json.loads(values["--executor_input"]))

    @property
    def output_file(self) -> Path:
        """Where KFP's executor says what came out."""
        return Path(self.executor_input["outputs"]["outputFile"])

    @property
    def answers(self) -> bool:
        """Whether steps after it wait for values that stand in the output file."""
        return bool(self.executor_input["outputs"].get("parameters"))
