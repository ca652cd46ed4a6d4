"""A record fragment: what one step says of itself while it runs and when it has ended."""

from __future__ import annotations

from typing import Any, Literal

from ferryman.artifacts.evidence import Evidence


class Failure(Evidence):
    """Why a step failed: the kind of error, one line of text, and the exit code that it asks for."""

    kind: str
    text: str
    exit_code: int


class Fragment(Evidence):
    """`fragments/STEP.json` in the run's folder."""

    schema_version: int = 1
    step: str
    run: str
    attempt: int = 1
    """How often the step was started in this run, from 1."""

    state: Literal["running", "done", "failed", "stale"]
    """Stale: it is from an earlier attempt, and the run that goes on has not come to it again."""

    started: str
    ended: str | None = None
    seconds: float | None = None
    error: Failure | None = None
    headline: str = ""
    metrics: dict[str, float] = {}
    facts: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    """Input artifact kind -> digest."""

    outputs: dict[str, str] = {}
    code: str = ""
    reused: bool = False
    """True when a resumed run took this step's earlier result."""

    @property
    def final(self) -> bool:
        """Whether asking again could change nothing: a release that was not promoted may be asked for again."""
        return self.state == "done" and (self.step != "rollout" or self.facts.get("terminal") == "Promoted")


class End(Evidence):
    """`ended.json`: how the orchestration ended, as whoever watched it saw it."""

    state: Literal["SUCCEEDED", "FAILED", "CANCELLED", "INTERRUPTED"]
    reason: str = ""
    exit_code: int | None = None
    """What the failure asks for, where it was none of a step."""

    at: str
