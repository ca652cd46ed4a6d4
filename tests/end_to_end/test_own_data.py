"""Somebody's own data, from `ferryman init` to a released model and its answers."""

from __future__ import annotations

import json
import subprocess

import own_data
import pytest
from newcomer import User, ends_well, eventually


@pytest.mark.slow
@pytest.mark.parametrize("name", ["houses", "events", "letters", "digits", "iris"])
def test_a_proposed_spec_runs_as_it_is(user: User, name: str) -> None:
    make, label = own_data.RUNNABLE[name]
    file = make(user.folder)
    proposed = user.types("init", file.name, "--label", label, "-o", "mine.yaml")
    assert proposed.returncode == 0, proposed.stderr
    done = user.types("run", "mine.yaml", limit=900)
    assert done.returncode == 0, done.stderr + done.stdout
    (record,) = user.runs()
    assert record["outcome"] == "promoted"


@pytest.mark.slow
def test_a_model_of_parquet_data_answers_parquet_rows(user: User) -> None:
    own_data.events(user.folder)
    assert user.types("init", "events.parquet", "--label", "fraud").returncode == 0
    done = user.types("run", "events.yaml", limit=900)
    assert done.returncode == 0, done.stderr + done.stdout
    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=user.folder / "serve.log")
    try:
        said = eventually(lambda: answered(user, "events.parquet"))
        answers = json.loads(said.stdout)
        assert len(answers) == 500
        assert {answer["label"] for answer in answers} == {"yes", "no"}
        (user.folder / "events.csv").write_text("online,Amount (EUR)\ntrue,90\n")
        text = user.types("predict", "events", "events.csv")
        assert text.returncode == 4
        assert "expected a Parquet file" in text.stderr
    finally:
        ends_well(server)


def answered(user: User, file: str) -> subprocess.CompletedProcess[str] | None:
    said = user.types("predict", "events", file, "-o", "json")
    return None if said.returncode else said
