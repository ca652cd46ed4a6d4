"""How far a step has come can be read from outside, and costs the step next to nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ferryman.artifacts import progress
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import step


def test_a_step_says_its_process_from_its_start_and_forgets_an_earlier_attempt(tmp_path: Path) -> None:
    run = Run(tmp_path / "r1", "r1")
    run.progress_file("train").leave(epoch=9, epochs=20, now=True)
    with step("train", str(tmp_path), "r1", ""):
        found = run.progress("train")
        assert found is not None
        assert (found.pid, found.epoch, found.numbers) == (os.getpid(), 0, [])


def test_what_is_said_too_often_is_not_written_and_the_last_word_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "r1", "r1")
    monkeypatch.setattr(progress, "SELDOM", 3600.0)
    file = run.progress_file("train")
    said = []
    for epoch in range(1, 9):
        file.leave(epoch=epoch)
        found = run.progress("train")
        said.append(found.epoch if found else None)
    assert said == [1] * 8
    file.leave(epoch=8, now=True)
    found = run.progress("train")
    assert found is not None
    assert found.epoch == 8


def test_a_step_goes_on_where_nothing_can_be_said_and_junk_says_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path / "r1", "r1")
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "progress").write_text("in the way")
    with step("train", str(tmp_path), "r1", "") as at_work:
        at_work.headline = "went on"
    assert run.progress("train") is None
    fragment = run.fragment("train")
    assert fragment is not None
    assert fragment.state == "done"
