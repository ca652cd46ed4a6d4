"""The end of a run in words: what was decided, what serves, what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from ferryman.artifacts.evidence import OTHER_CHAMPION, Reason, Verdict
from ferryman.artifacts.fragment import Fragment
from ferryman.artifacts.record import Outcome, RunRecord
from ferryman_pipelines.cli.home import Home
from ferryman_pipelines.cli.summary import summary


def told(outcome: Any, serves: dict[str, Any] | None) -> str:
    resolve = Fragment(step="resolve", run="m-1", state="done", started="2026", facts={"serves": serves})
    record = RunRecord(run="m-1", name="m", outcome=outcome, exit_code=3, steps=[resolve])
    return summary(record, Home(Path("/home")))


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_says_what_to_do_next(outcome: str) -> None:
    said = told(outcome, {"version": 4})
    assert said.startswith("m: ")
    assert "\n  next: " in said


@pytest.mark.parametrize("outcome", ["held", "insufficient", "nothing_new", "refused", "rolled_back"])
def test_a_run_that_changed_nothing_says_what_serves_on(outcome: str) -> None:
    assert "version 4 serves on" in told(outcome, {"version": 4})
    assert "nothing serves yet" in told(outcome, None)


def held(**reason: Any) -> str:
    reasons = [Reason(check="champion accuracy", ok=False, text="version 4 cannot be compared with", **reason)]
    verdict = Verdict(kind="hold", model="d", content="c", reasons=reasons).model_dump()
    record = RunRecord(run="m-1", name="m", outcome="held", exit_code=3, verdict=verdict)
    return summary(record, Home(Path("/home")))


def test_a_hold_that_no_bound_helps_against_advises_what_does() -> None:
    said = held(advice=OTHER_CHAMPION)
    assert "next: undo that change, or release this spec under another name or to another --group, and run it" in said
    assert "bounds" not in said
    assert 'promote m-1 --despite-hold --reason "..."' in said
    assert "the bounds under `gate`" in held()


@pytest.mark.parametrize(("code", "words"), [(2, "the spec and the code that it began with"), (4, "the same data")])
def test_what_has_to_be_mended_is_told_with_why_resuming_does_not_help(code: int, words: str) -> None:
    record = RunRecord(run="m-1", name="m", outcome="failed", exit_code=code)
    assert words in summary(record, Home(Path("/home")))


def test_what_can_go_on_is_told_with_the_command() -> None:
    for outcome in ("failed", "interrupted", "rolled_back"):
        assert "run --resume m-1" in told(outcome, None)
    assert "--resume" not in told("held", None)
