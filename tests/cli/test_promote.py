"""`ferryman promote RUN --despite-hold`: a person decides against the gate, on the record."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from judged_run import judged_run
from model_artifact import NAME, save_sorter, seal_model
from newcomer import User, eventually, strangers

from ferryman.artifacts.run_store import Run


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path, settings={"LOGNAME": "ada"})


def held(user: User, run_id: str = "sorter-1", columns: tuple[int, int, int] = (0, 1, 2), **changes: Any) -> Run:
    saved = save_sorter(user.folder / f"saved-{run_id}", columns=columns)
    return judged_run(user.home, seal_model(user.folder / f"artifact-{run_id}", saved), run_id, **changes)


def test_a_held_model_is_released_by_a_person_with_a_reason_and_the_record_says_so(user: User) -> None:
    run = held(user)
    refused = user.types("promote", "last")
    assert refused.returncode == 3
    assert "HOLD  accuracy 0.5, required at least 0.9" in refused.stderr
    assert "promote sorter-1 --despite-hold --reason" in refused.stderr
    assert user.types("promote", "last", "--despite-hold", "--reason", " ").returncode == 2
    assert run.promotions() == []

    done = user.types("promote", "last", "--despite-hold", "--reason", "labels were wrong in May")
    assert done.returncode == 0, done.stderr
    assert "nothing serves; the candidate was compared with version 2" in done.stderr
    assert "version 1 serves; ada promoted it: labels were wrong in May" in done.stdout
    assert user.group()["models"][NAME]["stable"]["release"] == "sorter-1-despite-hold.1"
    assert not strangers(user.folder)

    shown = user.types("runs", "show", "last").stdout
    assert "held: the candidate may not serve" in shown
    assert "ada promoted it despite that" in shown
    assert "labels were wrong in May" in shown
    assert "release sorter-1-despite-hold.1 ended Promoted as version 1" in shown
    (listed,) = json.loads(user.types("runs", "-o", "json").stdout)
    (fact,) = listed["promotions"]
    assert (fact["by"], fact["despite"], fact["compared_with"], fact["serves"]) == ("ada", "hold", 2, None)
    assert (fact["terminal"], fact["version"], listed["exit_code"]) == ("Promoted", 1, 3)

    again = user.types("promote", "last", "--despite-hold", "--reason", "once more")
    assert (again.returncode, len(run.promotions())) == (8, 1)
    assert f"version 1 of {NAME}, which serves, is this very model" in again.stderr


def test_a_model_that_did_not_serve_is_released_by_nobody(user: User) -> None:
    run = held(user, serving_check={"failure": "out of memory"})
    said = user.types("promote", "sorter-1", "--despite-hold", "--reason", "I insist")
    assert said.returncode == 9
    assert "may not be promoted at all, whatever the reason: a server does not serve it: out of memory" in said.stderr
    assert run.promotions() == []
    assert not (user.home / "groups" / "local" / "releases").exists()


def test_ctrl_c_before_the_commit_aborts_the_release_and_the_record_says_so(user: User, tmp_path: Path) -> None:
    run = held(user)
    at_work = user.starts("promote", "last", "--despite-hold", "--reason", "in a hurry", log=tmp_path / "log")
    releases = user.home / "groups" / "local" / "releases"
    eventually((releases / "sorter-1-despite-hold.1.json").exists)
    at_work.send_signal(signal.SIGINT)
    assert at_work.wait(120) == 130, (tmp_path / "log").read_text()
    assert "sorter-1-despite-hold.1 ended RolledBack" in (tmp_path / "log").read_text()
    (fact,) = run.promotions()
    assert (fact.terminal, "interrupted" in fact.why) == ("RolledBack", True)
    assert user.group()["models"][NAME]["stable"] is None
    assert eventually(lambda: not strangers(user.folder), 5)
