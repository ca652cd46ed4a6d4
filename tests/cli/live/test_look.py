"""A step's memory is that of its processes here, whatever it calls itself where it runs."""

from __future__ import annotations

import os
from pathlib import Path

from ferryman.artifacts.fragment import Fragment
from ferryman.artifacts.run_store import Run
from ferryman_pipelines.cli.live.look import Look, Watcher
from ferryman_pipelines.cli.live.memory import Resident
from ferryman_pipelines.runners.main_process import MainProcess

KNOWN = {
    os.getpid(): Resident(parent=1, size=100),
    1: Resident(parent=0, size=7),
    400: Resident(parent=1, size=2000),
    401: Resident(parent=400, size=30),
}


def run_at(folder: Path) -> Run:
    run = Run(folder, "r1")
    run.write_fragment(Fragment(step="train", run="r1", state="running", started="2026-11-24T12:00:00Z"))
    # As process 1 of its container, which here is somebody else and everybody's parent.
    (folder / "progress").mkdir()
    (folder / "progress" / "train.json").write_text('{"pid": 1, "epoch": 3}')
    return run


def look(run: Run) -> Look:
    return Watcher(run, lambda: KNOWN).look()


def test_a_container_is_found_by_the_process_that_the_engine_names(tmp_path: Path) -> None:
    run = run_at(tmp_path)
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "train.json").write_text('{"pid": 400}')
    found = look(run)
    assert (found.steps[0].memory, found.memory) == (2030, 2130)
    assert found.steps[0].progress is not None
    assert found.steps[0].progress.epoch == 3


def test_a_container_that_is_not_known_yet_takes_no_memory(tmp_path: Path) -> None:
    run = run_at(tmp_path)
    MainProcess(tmp_path, "train").expect()
    assert (look(run).steps[0].memory, look(run).memory) == (0, 100)


def test_a_process_of_another_machine_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    main = MainProcess(tmp_path, "train")
    main.expect()
    main.note(os.getpid(), "0b7f321ea53abdee")
    assert main.pid() == 0
    main.forget()
    assert main.pid() is None
