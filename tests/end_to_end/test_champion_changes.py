"""A champion that changes while its challenger is on the way: the comparison is void, and the run says so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from newcomer import User, eventually, family, flowers

pytestmark = pytest.mark.slow


def check_overtaken(user: User, spec: Path, seed: int, meanwhile: Callable[[], object], why: str) -> None:
    """A run that stands still in its step train while `meanwhile` happens ends as a conflict, and says why."""
    known, log = {record["run"] for record in user.runs()}, user.folder / f"{seed}.log"
    run = user.starts("run", spec, "--set", f"train.seed={seed}", log=log)
    eventually(lambda: user.fragments()["train"]["state"] == "running")
    for pid in family(run.pid):
        os.kill(pid, signal.SIGSTOP)
    try:
        meanwhile()
    finally:
        for pid in family(run.pid):
            os.kill(pid, signal.SIGCONT)
    assert run.wait(280) == 6, log.read_text()
    assert why in log.read_text()
    assert "run the spec again" in log.read_text()
    (record,) = (record for record in user.runs() if record["run"] not in known and record["outcome"] == "conflict")
    assert record["release"]["terminal"] == "Conflict"
    assert user.group()["models"]["flowers"]["phase"] == "idle"


def test_a_champion_that_changes_during_the_run_ends_it_as_a_conflict(user: User) -> None:
    spec = flowers(user.folder)
    assert user.types("run", spec).returncode == 0

    def another_release() -> None:
        done = user.types("run", spec, "--set", "train.seed=2")
        assert done.returncode == 0, done.stderr + done.stdout

    check_overtaken(user, spec, 3, another_release, "it was compared with version 1, but version 2 serves")
    assert user.group()["models"]["flowers"]["stable"]["number"] == 2

    def rollback() -> None:
        back = user.types("rollback", "flowers", "--reason", "complaints")
        assert back.returncode == 0, back.stderr

    check_overtaken(user, spec, 4, rollback, "it was compared with version 2, but version 1 serves")
    assert user.group()["models"]["flowers"]["stable"]["number"] == 1
