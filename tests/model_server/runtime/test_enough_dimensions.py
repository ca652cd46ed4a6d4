"""Requests that would end the process. They run in a process of their own, for one that dies takes no other test along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.enough_dimensions import check_dimensions

ASK = """
import sys, numpy as np
from pathlib import Path
from ferryman.model_server.core import Refusal
from ferryman.model_server.runtime.saved_model import SavedModel

for folder in map(Path, sys.argv[1:]):
    model = SavedModel(folder)
    signature = model.signatures["serving_default"]
    tensor, fetched = signature.inputs["x"].name, [signature.outputs["y"].name]
    for rank in range(6):
        array = np.ones([2] * rank, np.float32)
        for call in (lambda: model.run("", {"x": array}), lambda: model.run_tensors({tensor: array}, fetched)):
            try:
                print(folder.name, rank, [len(value.shape) for value in call().values()], flush=True)
            except Refusal as refusal:
                print(folder.name, rank, refusal.text.partition(": ")[2], flush=True)
"""

OPERATIONS = {
    "Conv2D": (4, lambda tf, x: tf.nn.conv2d(x, tf.ones([1, 1, 2, 3]), 1, "SAME")),
    "Conv3D": (5, lambda tf, x: tf.nn.conv3d(x, tf.ones([1, 1, 1, 2, 3]), [1] * 5, "SAME")),
    "DepthwiseConv2dNative": (4, lambda tf, x: tf.nn.depthwise_conv2d(x, tf.ones([1, 1, 2, 1]), [1] * 4, "SAME")),
    "MaxPool3D": (5, lambda tf, x: tf.nn.max_pool3d(x, 1, 1, "SAME")),
    "nothing that aborts": (4, lambda _, x: x * 2),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each model answers to each number of dimensions."""
    folder = tmp_path_factory.mktemp("ändings")
    for name, (dimensions, operation) in OPERATIONS.items():
        save(folder / name, operation, dimensions)
    command = [sys.executable, "-c", ASK, *(str(folder / name) for name in OPERATIONS)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert process.returncode == 0, (process.stdout + process.stderr)[-2000:]
    return process.stdout.splitlines()


def save(folder: Path, operation: Any, dimensions: int) -> None:
    import tensorflow as tf

    module = tf.Module()
    specification = tf.TensorSpec([None] + [2] * (dimensions - 1), tf.float32, "x")
    module.run = tf.function(lambda x: {"y": operation(tf, x)}, input_signature=[specification])
    tf.saved_model.save(module, str(folder), module.run)


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {"nothing that aborts"}))
def test_a_tensor_of_too_few_dimensions_ends_no_server(answers: list[str], operation: str) -> None:
    dimensions = OPERATIONS[operation][0]
    sizes = ", ".join(["-1"] + ["2"] * (dimensions - 1))
    for rank in range(dimensions):
        expected = f"expected {dimensions} dimensions as in [{sizes}] (-1 is any size)"
        line = f"{operation} {rank} received a tensor of shape {[2] * rank}, {expected}"
        assert answers.count(line) == 2
    assert answers.count(f"{operation} {dimensions} [{dimensions}]") == 2


def test_where_nothing_aborts_any_tensor_is_answered_as_in_the_real_server(answers: list[str]) -> None:
    for rank in range(6):
        assert answers.count(f"nothing that aborts {rank} [{rank}]") == 2


def test_more_dimensions_are_left_to_the_operation() -> None:
    check_dimensions({"x": np.ones((1, 1, 1), np.float32)}, {"x": (-1, 2)})
    with pytest.raises(Refusal) as caught:
        check_dimensions({"picture": np.ones(3, np.float32)}, {"picture": (-1, 2)})
    assert caught.value.code == INVALID_ARGUMENT
    assert caught.value.text.startswith("input picture: received a tensor of shape [3], expected 2 dimensions")
