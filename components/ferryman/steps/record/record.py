"""The step `record`, the exit handler: it merges what the other steps left behind into the run's one record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from ferryman.artifacts import record as run_record
from ferryman.artifacts.fragment import End
from ferryman.artifacts.record import RunRecord
from ferryman.artifacts.run_store import RunStore
from ferryman.artifacts.step import timestamp

State = Literal["SUCCEEDED", "FAILED", "CANCELLED", "INTERRUPTED"]

STATES: Final[dict[str, State]] = {
    "SUCCEEDED": "SUCCEEDED",
    "SUCCESS": "SUCCEEDED",
    "CANCELLED": "CANCELLED",
    "CANCELED": "CANCELLED",
}
"""What an orchestrator calls the end of a run -> how the record calls it; anything else is FAILED."""


def write_record(root: str, run_id: str, job: str, state: str) -> None:
    """Write `record.json` of the run `run_id` (or `job`), which ended as `state` (KFP's final status).

    A missing, torn or foreign fragment is left out and never an error: this is the last chance to say what happened.
    No fragment of its own: it would say `running` in the record that it is just writing.

    Raises:
        UsageError: neither `run_id` nor `job` names a run.
    """
    run = RunStore(root).run(run_id or job)
    if _is_news(run.end(), state):
        run.write_end(_end(state))
    record = run_record.write_record(run)
    print(f"record: {_line(record)}", flush=True)


def _is_news(known: End | None, state: str) -> bool:
    """Whoever saw a person interrupt the run knows more than the orchestrator, which only sees a failure."""
    return known is None or (known.state not in {"INTERRUPTED", "CANCELLED"} and known.state != _name(state))


def _end(state: str) -> End:
    return End(state=_name(state), at=timestamp(datetime.now(UTC)))


def _name(state: str) -> State:
    return STATES.get(state.upper(), "FAILED")


def _line(record: RunRecord) -> str:
    return f"{record.run}: {record.outcome}" + (f" ({record.reason})" if record.reason else "")
