"""`ferryman clean` as it is typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from judged_run import judged_run
from model_artifact import seal_model
from newcomer import User


def test_a_dry_run_shows_sizes_and_removes_nothing_and_the_real_one_keeps_its_word(tmp_path: Path) -> None:
    user = User(tmp_path)
    run = judged_run(user.home, seal_model(tmp_path / "artifact"))
    wheel = user.home / "cache" / "wheels" / "roses-2" / "roses.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(bytes(2_500_000))
    os.utime(wheel.parent, (1000, 1000))
    shown = user.types("clean", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "  2.5 MB  cache/wheels/roses-2: a wheel, fetched again when needed" in shown.stdout
    assert f"would free 2.5 MB in {user.home}" in shown.stdout
    assert wheel.exists()
    cleaned = json.loads(user.types("clean", "--keep", "0", "-o", "json").stdout)
    assert [(item["kind"], item["stays"]) for item in cleaned["items"]] == [("artifacts", ""), ("wheel", "")]
    assert cleaned["bytes"] == sum(item["bytes"] for item in cleaned["items"]) > 2_500_000
    assert not wheel.exists()
    assert not (run.folder / "artifacts" / "sorter-2026" / "train" / "model" / "golden").exists()
    assert user.types("clean", "--keep", "0").stdout == f"nothing to remove in {user.home}\n"
    gone = user.types("promote", "last", "--despite-hold", "--reason", "too late")
    assert gone.returncode == 5
    assert "is not in" in gone.stderr


def test_a_duration_without_its_unit_is_a_mistake_that_removes_nothing(tmp_path: Path) -> None:
    said = User(tmp_path).types("clean", "--older-than", "30")
    assert (said.returncode, "expected a duration with its unit" in said.stderr) == (2, True)
    assert not (tmp_path / ".ferryman").exists()
