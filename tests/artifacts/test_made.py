"""What a run made is found by digest, wherever its folder lies now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from finished_run import FinishedRun, write_spec

from ferryman.artifacts.made import made
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError


def test_an_artifact_is_found_where_the_run_was_moved_to_and_not_an_earlier_attempts(tmp_path: Path) -> None:
    run = FinishedRun(tmp_path / "home", "r1", write_spec(tmp_path)).write()
    moved = tmp_path / "elsewhere"
    shutil.move(run.folder, moved)
    earlier = moved / "artifacts" / "birds-2025" / "train" / "model"
    shutil.copytree(moved / "artifacts" / "birds-2026" / "train" / "model", earlier)
    (earlier / "manifest.json").write_text("{}")
    assert made(Run(moved, "r1"), "model") == moved / "artifacts" / "birds-2026" / "train" / "model"


def test_what_was_never_made_or_was_removed_is_told(tmp_path: Path) -> None:
    run = FinishedRun(tmp_path / "home", "r1", write_spec(tmp_path)).write()
    with pytest.raises(ArtifactError, match="run r1 has made no examples"):
        made(run, "examples")
    (run.folder / "artifacts" / "birds-2026" / "convert" / "conversion" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="the conversion that convert made is not in"):
        made(run, "conversion")
