"""A run killed in each of its steps goes on: finished steps are not repeated, nothing is torn, nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from newcomer import User, ends_well, eventually, flowers, strangers

from ferryman.serving.client import ServingClient

STEPS = ("resolve", "prepare", "train", "evaluate", "convert", "serving_check", "gate", "rollout")
QUICK = {"resolve", "prepare", "gate"}
"""Steps that may be over before a test sees them run."""


def kill(run: subprocess.Popen[bytes], below: Path) -> None:
    """kill -9 of the command alone: everything that it started must go with it."""
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert eventually(lambda: not strangers(below), 10)


def at_work(user: User) -> set[str]:
    return {name for name, fragment in user.fragments().items() if fragment["state"] == "running"}


def kill_in_every_step(user: User, below: Path, *arguments: str | Path) -> None:
    """Type the command and go on with its run after each kill, until it ends well; what is its own lies `below`."""
    log = user.folder / "run.log"
    killed: set[str] = set()
    while True:
        run = user.starts(*arguments, log=log)
        eventually(lambda: at_work(user) - killed or run.poll() is not None, 120)  # noqa: B023
        if run.poll() is not None:
            break
        finished = {name: kept for name, kept in user.fragments().items() if kept["state"] == "done"}
        reached = at_work(user) - killed
        kill(run, below)
        assert all(user.fragments()[name]["outputs"] == kept["outputs"] for name, kept in finished.items())
        killed |= reached
        arguments = ("run", "--resume", "last")
        shown = user.types("runs", "show", "last").stdout
        assert "it was killed: nobody runs it any more" in shown
    assert run.returncode == 0, log.read_text()
    assert set(STEPS) - QUICK <= killed
    record = user.runs()[-1]
    assert record["outcome"] == "promoted"
    attempts = {step["step"]: step["attempt"] for step in record["steps"]}
    assert all(number <= 2 for step, number in attempts.items() if step != "rollout"), attempts


def check_served(user: User, version: int) -> None:
    """This version serves, nothing moves, every release so far ended once, and the store holds nothing torn."""
    group = user.home / "groups" / "local"
    part = user.group()["models"]["flowers"]
    assert (part["phase"], part["stable"]["number"]) == ("idle", version)
    assert sorted(path.name for path in (group / "store" / "flowers").iterdir()) == [
        str(number + 1) for number in range(version)
    ]
    ends = {path.name: json.loads(path.read_text())["state"] for path in (group / "releases").glob("*.end.json")}
    assert len(ends) == len(list((group / "releases").glob("*-[0-9].json"))) == version
    assert set(ends.values()) == {"Promoted"}


def test_a_run_killed_in_every_step_is_finished_by_resuming_it(user: User) -> None:
    kill_in_every_step(user, user.folder, "run", flowers(user.folder))
    check_served(user, 1)


class Client:
    """Asks the running server again and again; keeps who answered and what the group record then called stable."""

    def __init__(self, user: User, label: str | None) -> None:
        self.answers: list[tuple[int, int]] = []
        self.errors: list[str] = []
        self._user, self._label, self._done = user, label, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        row = {"petal": np.float32([1]), "sepal": np.float32([6]), "ground": np.array([b"sand"], dtype=object)}
        endpoints = json.loads((self._user.home / "groups" / "local" / "endpoints.json").read_text())
        with ServingClient(endpoints["grpc"]) as client:
            while not self._done.wait(0.05):
                try:
                    version = client.predict("flowers", row, label=self._label, timeout=30.0).version
                    stable = self._user.group()["models"]["flowers"]["stable"]["number"]
                    self.answers.append((version, stable))
                except Exception as error:
                    self.errors.append(repr(error))


@pytest.mark.slow
def test_what_serves_goes_on_serving_while_a_run_is_killed_in_every_step(user: User) -> None:
    spec = flowers(user.folder)
    assert user.types("run", spec).returncode == 0
    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=user.folder / "serve.log")
    try:
        eventually((user.home / "groups" / "local" / "endpoints.json").exists)
        with Client(user, "stable") as labelled, Client(user, None) as plain:
            kill_in_every_step(user, user.home / "runs", "run", spec, "--set", "train.seed=2")
            eventually(lambda: labelled.answers[-1] == plain.answers[-1] == (2, 2))
        assert labelled.errors == plain.errors == []
        versions = [version for version, _ in labelled.answers]
        assert versions == sorted(versions)
        # The commit is written before the label moves: nobody hears of version 2 before it is stable.
        assert {pair for pair in labelled.answers if pair[1] == 1} == {(1, 1)}
        assert {version for version, _ in plain.answers} == {1, 2}
        eventually(lambda: user.group()["models"]["flowers"]["phase"] == "idle")
        check_served(user, 2)
    finally:
        assert ends_well(server) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_a_record_and_nobody_behind(
    user: User, tmp_path: Path, number: signal.Signals
) -> None:
    run = user.starts("run", flowers(user.folder), log=tmp_path / "run.log")
    eventually(lambda: user.fragments().get("train", {}).get("state") == "running")
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
