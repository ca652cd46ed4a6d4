"""`ferryman doctor` as it is typed."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from newcomer import User


@pytest.fixture
def offline() -> str:
    """An index at which nobody listens: no test asks the network."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{nobody.getsockname()[1]}/simple"


def test_a_healthy_machine_is_told_line_by_line_and_nothing_is_written(tmp_path: Path, offline: str) -> None:
    said = User(tmp_path, settings={"PIP_INDEX_URL": offline}).types("doctor")
    assert said.returncode == 0, said.stdout
    lines = said.stdout.splitlines()
    assert any(line.startswith("ok    tensorflow ") for line in lines)
    assert any(line.startswith("warn  package index ") for line in lines)
    assert lines[-1] == "ferryman can run here"
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_is_a_failure_with_its_fix_and_exit_code_7(tmp_path: Path, offline: str) -> None:
    (tmp_path / "file").write_text("")
    settings = {"PIP_INDEX_URL": offline, "FERRYMAN_HOME": str(tmp_path / "file" / "home")}
    said = User(tmp_path, settings=settings).types("doctor", "-o", "json")
    assert said.returncode == 7
    told = json.loads(said.stdout)
    (home,) = [finding for finding in told["findings"] if finding["state"] == "fail"]
    assert (told["ok"], home["name"], "FERRYMAN_HOME" in home["fix"]) == (False, "home", True)
