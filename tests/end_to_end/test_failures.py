"""A run that fails says why, in one line, every time."""

from __future__ import annotations

import json
import re

import pytest
from newcomer import User, flowers, spoil


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_failed_step_fails_the_command_with_its_reason_in_one_line_every_time(user: User, times: int) -> None:
    spec = flowers(user.folder)
    spoil(user.folder / "flowers.csv")
    for _ in range(times):
        said = user.types("run", spec)
        assert said.returncode == 4, said.stderr
        (why,) = (line.strip() for line in said.stdout.splitlines() if "why:" in line)
        assert why.startswith("why: prepare: flowers.csv, line 8, column 'sepal': ")
        assert "received 'x" in why
        assert "Traceback" not in said.stdout + said.stderr
    assert len(user.runs()) == times
    assert len({record["reason"].partition("received")[0] for record in user.runs()}) == 1


def test_a_step_that_takes_longer_than_its_target_allows_fails_and_says_so(user: User) -> None:
    spec = flowers(user.folder)
    places = user.folder / "places.yaml"
    places.write_text("targets: 1\nhasty: {kind: local, group: hurry, steps: {train: {limit: 0.3s}}}\n")
    said = user.types("run", spec, "--targets", places, "--on", "hasty", "-o", "json")
    assert said.returncode == 5, said.stderr
    record = json.loads(said.stdout)
    assert re.fullmatch(r"train: took longer than its limit; stopped after \d+ s", record["reason"])
    assert [(step["step"], step["state"]) for step in record["steps"]] == [
        *(("resolve", "done"), ("prepare", "done"), ("train", "failed"))
    ]
    assert record["steps"][0]["facts"]["group"] == str(user.home / "groups" / "hurry")
