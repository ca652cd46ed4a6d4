"""`ferryman runs open`: the reports' paths, and the browser where there is one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from finished_run import FinishedRun, write_spec
from newcomer import User, eventually


@pytest.fixture
def run(tmp_path: Path) -> FinishedRun:
    run = FinishedRun(tmp_path / ".ferryman", "birds-1", write_spec(tmp_path))
    run.write()
    return run


def test_the_report_is_opened_in_the_browser_and_its_path_is_told(run: FinishedRun, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(opened))}\n')
    browser.chmod(0o755)
    said = User(tmp_path, settings={"BROWSER": f"{shlex.quote(str(browser))} %s"}).types("runs", "open", "last")
    page = run.run.folder / "artifacts" / "birds-2026" / "evaluate" / "evaluation" / "report.html"
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{page}\n", "")
    assert eventually(lambda: opened.read_text() == f"{page.as_uri()}\n", 10)


def test_without_a_browser_the_paths_are_told_all_the_same(run: FinishedRun, tmp_path: Path) -> None:
    nowhere = {"BROWSER": str(tmp_path / "none %s"), "PATH": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    said = User(tmp_path, settings=nowhere).types("runs", "-o", "json", "open", "birds-1")
    assert said.returncode == 0, said.stderr
    assert [Path(page).name for page in json.loads(said.stdout)] == ["report.html"]
    assert "there is no browser here" in said.stderr


def test_a_run_without_reports_says_so(tmp_path: Path) -> None:
    run = FinishedRun(tmp_path / ".ferryman", "birds-1", write_spec(tmp_path))
    run.write()
    (run.run.folder / "fragments" / "evaluate.json").unlink()
    said = User(tmp_path).types("runs", "open", "last")
    assert (said.returncode, "run birds-1 has no report" in said.stderr) == (2, True), said.stderr
