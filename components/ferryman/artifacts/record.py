"""The run record: one document that says what a run was, decided and did; a pure function of its fragments."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from ferryman.artifacts.evidence import Evidence
from ferryman.artifacts.fragment import End, Failure, Fragment
from ferryman.artifacts.promotion import Promotion
from ferryman.artifacts.run_store import RECORD, Run
from ferryman.errors import ArtifactError
from ferryman.storage.local import atomic_write

Outcome = Literal[
    "running",
    "promoted",
    "held",
    "insufficient",
    "nothing_new",
    "refused",
    "rolled_back",
    "superseded",
    "conflict",
    "failed",
    "interrupted",
]

EXIT_CODES: dict[Outcome, int] = {
    "promoted": 0,
    "held": 3,
    "insufficient": 3,
    "failed": 5,
    "running": 5,
    "conflict": 6,
    "superseded": 6,
    "nothing_new": 8,
    "refused": 9,
    "rolled_back": 10,
    "interrupted": 130,
}
"""What the command line exits with; a failed step's own kind of error is finer."""

TERMINAL: dict[str, Outcome] = {
    "Promoted": "promoted",
    "Refused": "refused",
    "RolledBack": "rolled_back",
    "Superseded": "superseded",
    "Conflict": "conflict",
}
"""A release's terminal state -> the outcome of the run that asked for it."""

VERDICTS: dict[str, Outcome] = {"hold": "held", "insufficient": "insufficient", "nothing_new": "nothing_new"}
"""A verdict that is no promotion -> the outcome of the run that it ends."""


class RunRecord(Evidence):
    """`record.json` in the run's folder."""

    schema_version: int = 1
    run: str
    name: str = ""
    outcome: Outcome
    exit_code: int
    reason: str = ""
    """Why it failed or stopped, in one line; empty otherwise."""

    started: str = ""
    ended: str = ""
    spec_sha256: str = ""
    """Of the spec as reviewed."""

    resolved_sha256: str = ""
    overrides: dict[str, Any] = {}
    verdict: dict[str, Any] | None = None
    """The gate's whole verdict with every reason."""

    release: dict[str, Any] | None = None
    """name, terminal, version, why of the release, as far as the rollout got."""

    promotions: list[Promotion] = []
    """What people decided against the gate since; the outcome stays what the run itself came to."""

    steps: list[Fragment] = []

    @property
    def seconds(self) -> float | None:
        """From the run's first word to its last; None where one of them is not known."""
        try:
            took = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)
        except (ValueError, TypeError):
            return None
        return round(took.total_seconds(), 3)


def merge(
    run: str,
    fragments: Iterable[Fragment],
    request: Mapping[str, Any],
    end: End | None,
    promotions: Sequence[Promotion] = (),
) -> RunRecord:
    """The record of `run`; the same fragments, request, end and promotions always give the same record."""
    steps = [step for step in fragments if step.state != "stale"]
    by_name = {step.step: step for step in steps}
    resolved = by_name["resolve"].facts if "resolve" in by_name else {}
    failed = next((step for step in steps if step.state == "failed"), None)
    outcome = _outcome(by_name, failed, end)
    return RunRecord(
        run=run,
        name=str(resolved.get("name", request.get("name", ""))),
        outcome=outcome,
        exit_code=_exit_code(outcome, failed, end),
        reason=_reason(outcome, failed, end),
        started=min((step.started for step in steps), default=str(request.get("created", ""))),
        ended=_ended(steps, outcome, end),
        spec_sha256=str(resolved.get("spec_sha256", request.get("spec_sha256", ""))),
        resolved_sha256=str(resolved.get("resolved_sha256", "")),
        overrides=_mapping(resolved.get("overrides", request.get("overrides"))),
        verdict=_verdict(by_name) or None,
        release=by_name["rollout"].facts or None if "rollout" in by_name else None,
        promotions=list(promotions),
        steps=steps,
    )


def _ended(steps: Sequence[Fragment], outcome: Outcome, end: End | None) -> str:
    """When the last step ended; of an interrupted run, whose step at work need not have said so, when that was seen."""
    ends = [step.ended for step in steps if step.ended]
    if end and (outcome == "interrupted" or not ends):
        ends.append(end.at)
    return max(ends, default="")


def write_record(run: Run) -> RunRecord:
    """Merge what lies in the run's folder into `record.json`; the same again is harmless."""
    record = merge(run.id, run.fragments(), run.request(), run.end(), run.promotions())
    run.folder.mkdir(parents=True, exist_ok=True)
    atomic_write(run.folder / RECORD, f"{record.model_dump_json(indent=1)}\n".encode())
    return record


def read_record(run: Run) -> RunRecord:
    """The record as written; merged anew while the run is at work, and where it was killed before it wrote one."""
    at_work = run.at_work()
    if not at_work:
        with contextlib.suppress(ArtifactError):
            return RunRecord.read(run.folder / RECORD)
    end, fragments = run.end(), run.fragments()
    if end is None and not at_work and run.request():
        # Only runs of this command line leave a request: of any other nobody here can say whether it lives.
        last = max((step.ended or step.started for step in fragments), default="")
        end = End(state="INTERRUPTED", reason="it was killed: nobody runs it any more", at=last)
    return merge(run.id, fragments, run.request(), end, run.promotions())


def _outcome(steps: Mapping[str, Fragment], failed: Fragment | None, end: End | None) -> Outcome:
    """What the run came to; an end seen from outside decides only where the steps themselves leave it open."""
    terminal = str(steps["rollout"].facts.get("terminal")) if "rollout" in steps else ""
    if terminal in TERMINAL:
        return TERMINAL[terminal]
    if end and end.state in {"INTERRUPTED", "CANCELLED"}:
        return "interrupted"
    if failed:
        return "failed"
    gate = steps.get("gate")
    if gate and gate.state == "done":
        kind = str(_verdict(steps).get("kind"))
        if kind in VERDICTS:
            return VERDICTS[kind]
    return "failed" if end else "running"


def _verdict(steps: Mapping[str, Fragment]) -> dict[str, Any]:
    return _mapping(steps["gate"].facts.get("verdict")) if "gate" in steps else {}


def _mapping(value: Any) -> dict[str, Any]:
    """`value`, or nothing: facts come from files that a newer or another hand may have written."""
    return value if isinstance(value, dict) else {}


def _exit_code(outcome: Outcome, failed: Fragment | None, end: End | None) -> int:
    """The failure's own code where it has one."""
    if outcome == "failed" and failed and failed.error:
        return failed.error.exit_code
    if outcome == "failed" and end and end.exit_code is not None:
        return end.exit_code
    return EXIT_CODES[outcome]


def _reason(outcome: Outcome, failed: Fragment | None, end: End | None) -> str:
    if outcome == "failed" and failed:
        error = failed.error or Failure(kind="StepError", text="it did not say why", exit_code=5)
        return f"{failed.step}: {error.text}"
    if outcome in {"failed", "interrupted"} and end:
        return end.reason or f"the orchestration ended as {end.state}"
    return ""
