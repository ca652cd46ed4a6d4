"""What the control image runs, in processes that have nothing but the packages of the extra `control`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import control_only

Build = Callable[..., Path]

IMPORT_ALL = """
import importlib, pkgutil, sys
import control_only
control_only.block()
import ferryman

rooms = ("serving", "controller", "steps.resolve", "steps.gate", "steps.rollout", "steps.hold", "steps.record")
for found in pkgutil.walk_packages(ferryman.__path__, "ferryman."):
    # A component file is read where KFP is: it alone imports it.
    if found.name.startswith(tuple(f"ferryman.{room}" for room in rooms)) and not found.name.endswith(".component"):
        importlib.import_module(found.name)
        print(found.name)
for absent in ("tensorflow", "tensorflow_serving", "pyarrow", "scipy", "kfp", "google.cloud"):
    try:
        importlib.import_module(absent)
    except ModuleNotFoundError:
        continue
    print(absent, "is there")
"""


def test_serving_controller_and_the_steps_of_the_control_image_import_with_its_packages_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env={**os.environ, "PYTHONPATH": str(Path(control_only.__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = done.stdout.splitlines()
    assert [line for line in imported if line.endswith("is there")] == []
    wanted = {"serving.client", "serving.agent", "controller.group", "controller.probe", "steps.gate.judge"}
    assert {f"ferryman.{name}" for name in wanted} <= set(imported)


def test_a_group_process_with_these_packages_alone_takes_a_release_to_a_real_server(
    group: Any, artifact: Build
) -> None:
    good = group.release(artifact(2.0))
    group.start(program=(control_only.__file__, "ferryman.controller"))
    assert group.ended(good).state == "Promoted"
    wrong = group.release(artifact(3.0, says=3.5))
    assert group.ended(wrong).state == "Refused"
    assert group.answer(label="stable") == (2.0, 1)
    assert group.end() == 0
