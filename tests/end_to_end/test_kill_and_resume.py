"""A run killed in each of its steps goes on: finished steps are not repeated, nothing is torn, nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from newcomer import User, ends_well, eventually, flowers, strangers

STEPS = ("resolve", "prepare", "train", "evaluate", "convert", "serving_check", "gate", "rollout")
QUICK = {"resolve", "prepare", "gate"}
"""Steps that may be over before a test sees them run."""


def fragments(user: User) -> dict[str, dict[str, Any]]:
    import json

    found = {}
    for path in user.home.glob("runs/*/fragments/*.json"):
        try:
            found[path.stem] = json.loads(path.read_text())
        except ValueError:
            continue
    return found


def kill(run: subprocess.Popen[bytes], user: User) -> None:
    """kill -9 of the command alone: everything that it started must go with it."""
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert eventually(lambda: not strangers(user.folder), 10)


def at_work(user: User) -> set[str]:
    return {name for name, fragment in fragments(user).items() if fragment["state"] == "running"}


def test_a_run_killed_in_every_step_is_finished_by_resuming_it(user: User, tmp_path: Path) -> None:
    arguments: tuple[str | Path, ...] = ("run", flowers(user.folder))
    killed: set[str] = set()
    while True:
        log = tmp_path / f"{len(killed)}.log"
        run = user.starts(*arguments, log=log)
        eventually(lambda: at_work(user) - killed or run.poll() is not None, 120)  # noqa: B023
        if run.poll() is not None:
            break
        finished = {name: kept for name, kept in fragments(user).items() if kept["state"] == "done"}
        reached = at_work(user) - killed
        kill(run, user)
        assert all(fragments(user)[name]["outputs"] == kept["outputs"] for name, kept in finished.items())
        killed |= reached
        arguments = ("run", "--resume", "last")
        shown = user.types("runs", "show", "last").stdout
        assert "it was killed: nobody runs it any more" in shown
    assert run.returncode == 0, log.read_text()
    assert set(STEPS) - QUICK <= killed

    (record,) = user.runs()
    assert record["outcome"] == "promoted"
    attempts = {step["step"]: step["attempt"] for step in record["steps"]}
    assert all(number <= 2 for step, number in attempts.items() if step != "rollout"), attempts
    part = user.group()["models"]["flowers"]
    assert part["phase"] == "idle"
    assert part["stable"]["number"] == 1
    assert [path.name for path in (user.home / "groups/local/store/flowers").iterdir()] == ["1"]
    (end,) = (user.home / "groups/local/releases").glob("*.end.json")
    assert '"Promoted"' in end.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_a_record_and_nobody_behind(
    user: User, tmp_path: Path, number: signal.Signals
) -> None:
    run = user.starts("run", flowers(user.folder), log=tmp_path / "run.log")
    eventually(lambda: fragments(user).get("train", {}).get("state") == "running")
    run.send_signal(number)
    assert run.wait(60) == 130, (tmp_path / "run.log").read_text()
    (record,) = user.runs()
    assert record["outcome"] == "interrupted"
    assert "--resume" in (tmp_path / "run.log").read_text()


def test_a_release_of_an_interrupted_run_is_given_up_and_asked_again(user: User, tmp_path: Path) -> None:
    run = user.starts("run", flowers(user.folder), log=tmp_path / "run.log")
    eventually(lambda: list(user.home.glob("groups/local/releases/*-1.json")), 120)
    assert ends_well(run, 90) == 130
    (end,) = user.home.glob("groups/local/releases/*-1.end.json")
    assert '"RolledBack"' in end.read_text()
    assert user.runs()[0]["outcome"] in {"interrupted", "rolled_back"}

    again = user.types("run", "--resume", "last")
    assert again.returncode == 0, again.stderr + again.stdout
    assert user.runs()[0]["release"]["release"].endswith("-2")
