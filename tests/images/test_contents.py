"""Each image has all that its steps import: their own tests hold with nothing but what its lock names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTROL = ("resolve", "gate", "rollout", "hold", "record")


def hold(image: str, *steps: str) -> None:
    """The tests of the steps pass where only the image's packages can be imported."""
    folders = [str(ROOT / "tests" / "steps" / step) for step in steps]
    options = ["-n", "0", "-q", "-p", "image_alone", "-p", "no:cacheprovider"]
    support = os.pathsep.join([str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *folders],
        cwd=ROOT,
        env={**os.environ, "FERRYMAN_IMAGE": image, "PYTHONPATH": support},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_what_decides_needs_neither_tensorflow_nor_arrow() -> None:
    hold("control", *CONTROL)


def test_preparing_needs_no_tensorflow() -> None:
    hold("prepare", "prepare")


@pytest.mark.slow
@pytest.mark.parametrize("image", ["train", "evaluate", "convert"])
def test_a_step_that_computes_needs_nothing_but_its_image(image: str) -> None:
    hold(image, image)


@pytest.mark.slow
def test_checking_in_a_server_needs_no_arrow() -> None:
    hold("serve", "serving_check")
