"""Whole jobs in containers, as a user types them: the same results as in processes, and the whole road to a release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from newcomer import SPECS, User, eventually, flowers, strangers

from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import FILE, ImageLock, read_lock, write_lock
from ferryman_pipelines.runners.sweeping import ROOT

pytestmark = pytest.mark.docker


def somebody(folder: Path, lock: Path) -> User:
    """Somebody whose folder has an awkward path, with the images' lock in it."""
    folder.mkdir(parents=True)
    shutil.copy(lock, folder / FILE)
    return User(folder)


def typed(user: User, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """The record of a run."""
    said = user.types("run", *words, "-o", "json", limit=600)
    assert said.returncode == code, said.stderr + said.stdout
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def outputs(record: dict[str, Any], step: str) -> dict[str, str]:
    found: dict[str, str] = next(part["outputs"] for part in record["steps"] if part["step"] == step)
    return found


def metrics(record: dict[str, Any]) -> dict[str, float]:
    return {
        f"{part['step']} {name}": value
        for part in record["steps"]
        if part["step"] in {"train", "evaluate"}
        for name, value in part["metrics"].items()
    }


def check_nobody_is_left(user: User) -> None:
    assert ask("ps", "--all", "--quiet", "--filter", f"label={ROOT}={user.home / 'runs'}") == ""
    assert eventually(lambda: not strangers(user.folder), 10)


@pytest.mark.parametrize("name", ["digits", "penguins"])
def test_containers_come_to_the_same_results_as_processes(tmp_path: Path, lock: Path, name: str) -> None:
    inside, outside = (somebody(tmp_path / "größe, a:b" / place, lock) for place in ("inside", "outside"))
    contained = typed(inside, SPECS / f"{name}.yaml", "--on", "docker")
    plain = typed(outside, SPECS / f"{name}.yaml")
    assert contained["outcome"] == plain["outcome"] == "promoted"
    assert outputs(contained, "prepare") == outputs(plain, "prepare")
    assert len(metrics(plain)) > 3
    assert metrics(contained) == pytest.approx(metrics(plain), rel=0, abs=1e-6)
    check_nobody_is_left(inside)


def test_a_second_model_is_compared_with_the_one_that_serves_and_the_same_is_nothing_new(
    tmp_path: Path, lock: Path
) -> None:
    user = somebody(tmp_path / "größe, a:b", lock)
    spec = flowers(user.folder)
    assert typed(user, spec, "--on", "docker")["release"]["version"] == 1
    assert typed(user, spec, "--on", "docker", code=8)["outcome"] == "nothing_new"
    second = typed(user, spec, "--on", "docker", "--set", "train.seed=2")
    assert second["release"]["version"] == 2
    assert "version 1" in json.dumps(second["verdict"])
    assert user.group()["models"]["flowers"]["stable"]["number"] == 2
    images = read_lock(lock).built
    compiled = (user.home / "runs" / second["run"] / "pipeline.yaml").read_text(encoding="utf-8")
    assert {image.id for image in images.values()} == {
        line.split()[-1] for line in compiled.splitlines() if line.strip().startswith("image:")
    }
    check_nobody_is_left(user)


def test_a_run_out_of_memory_goes_on_with_more_and_repeats_nothing(tmp_path: Path, lock: Path) -> None:
    user = somebody(tmp_path / "größe, a:b", lock)
    targets = user.folder / "targets.yaml"
    targets.write_text("targets: 1\ndocker: {steps: {evaluate: {memory: 200Mi}}}\n")
    failed = typed(user, flowers(user.folder), "--on", "docker", code=5)
    assert failed["outcome"] == "failed"
    assert "evaluate: its container's memory limit of 200Mi was reached" in failed["reason"]
    targets.write_text("targets: 1\ndocker: {steps: {evaluate: {memory: 2Gi}}}\n")
    done = typed(user, "--resume", "last")
    assert done["outcome"] == "promoted"
    attempts = {part["step"]: part["attempt"] for part in done["steps"]}
    assert (attempts["train"], attempts["evaluate"], outputs(done, "train")) == (1, 2, outputs(failed, "train"))


def test_a_missing_image_is_one_error_before_anything_starts(tmp_path: Path, lock: Path) -> None:
    user = somebody(tmp_path / "größe, a:b", lock)
    built = read_lock(lock).built
    other = built["convert"].model_copy(update={"id": f"sha256:{'5' * 64}"})
    write_lock(user.folder / FILE, ImageLock(built={**built, "convert": other}))
    said = user.types("run", flowers(user.folder), "--on", "docker")
    assert (said.returncode, len(said.stderr.splitlines()), user.home.exists()) == (2, 1, False)
    assert "the image convert" in said.stderr
    assert "ferryman images build" in said.stderr
