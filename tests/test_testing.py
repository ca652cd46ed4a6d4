"""`ferryman.testing.check`, as the author of a user package calls it from their own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from user_package import author_folder, broken, line_of

import ferryman.testing
from ferryman.errors import UserCodeError


def test_the_public_names_cost_nothing_until_they_are_used() -> None:
    code = (
        "import ferryman, sys\n"
        "assert {'Model', 'Feature', 'Metric', 'Options', 'testing'} <= set(dir(ferryman))\n"
        "assert not [name for name in sys.modules if name.startswith('ferryman.')]\n"
        "class Mine(ferryman.Model):\n"
        "    class Options(ferryman.Options):\n        width: int = 3\n"
        "    def build(self, inputs, context): ...\n"
        "class Own(ferryman.Feature): ...\n"
        "class Cost(ferryman.Metric): ...\n"
        "assert Mine(Mine.Options()).options.width == 3\n"
        "heavy = {'tensorflow', 'keras', 'pyarrow', 'kfp', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "try:\n    ferryman.Modle\nexcept AttributeError as error:\n    assert 'Modle' in str(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_package_that_is_right_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    spec = author_folder(tmp_path / "author")
    ferryman.testing.check(spec, rows=100)
    assert "fraud" not in sys.modules
    assert sorted(path.name for path in spec.parent.iterdir()) == ["fraud", "fraud.yaml", "payments.csv"]


@pytest.mark.slow
def test_a_conversion_that_no_device_can_run_is_found(tmp_path: Path) -> None:
    spec = author_folder(tmp_path / "author")
    # The inverse of a matrix is none of TFLite's own operations.
    broken(spec, "fraud/model.py", "answer = keras", "hidden = Inverse()(hidden)\n        answer = keras")
    layer = """class Inverse(keras.layers.Layer):
    def call(self, rows):
        square = tf.eye(12) + tf.matmul(rows, rows, transpose_a=True) * 1e-6
        return tf.matmul(rows, tf.linalg.inv(square))


class Fraud("""
    broken(spec, "fraud/model.py", "class Fraud(", layer)
    with pytest.raises(AssertionError, match=r"convert.try int8: conversion: .*\n?convert.try float32: ") as caught:
        ferryman.testing.check(spec, rows=60)
    assert "MatrixInverse" in str(caught.value)


def test_wrong_code_is_told_with_its_place(tmp_path: Path) -> None:
    spec = broken(
        author_folder(tmp_path / "author", rows=60), "fraud/features.py", "import ferryman\n", "import ferrymen\n"
    )
    with pytest.raises(UserCodeError) as caught:
        ferryman.testing.check(spec)
    assert (caught.value.file, caught.value.line) == (
        "fraud/features.py",
        line_of(spec, "fraud/features.py", "ferrymen"),
    )
