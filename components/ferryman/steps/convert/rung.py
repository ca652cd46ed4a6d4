"""The child process of one rung: convert the endpoint `core` of a SavedModel to one `.tflite` file.

    python -m ferryman.steps.convert.rung SAVED_MODEL float32|int8 OUT ENDPOINT [CALIBRATION]

A process of its own, because the converter can die of a signal (the calibration of rolled GRU and LSTM does).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.models.runtime import quiet_tensorflow
from ferryman.process import child_main
from ferryman.steps.convert.tensors import read_tensors

ENDPOINT = "core"


def convert(saved_model: Path, rung: str, calibration: Path | None = None, endpoint: str = ENDPOINT) -> bytes:
    """The `.tflite` of `endpoint`: names and dtypes of its inputs and outputs are those of the endpoint on every rung.

    `int8` computes in 8 bits from first to last: float inputs are quantised and outputs dequantised inside, int32
    and uint8 inputs stay as they are. `calibration` is the folder of its representative device tensors.

    Raises:
        ValueError: an unknown rung, or `int8` without calibration.
        Exception: whatever TensorFlow's converter raises (an op without an 8-bit kernel, an op that needs Flex).
    """
    quiet_tensorflow()
    import tensorflow as tf

    # Not from_concrete_functions: with a Keras model beside it that once left weights unread and answered NaN.
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[endpoint])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if rung == "int8":
        if calibration is None:
            raise ValueError("int8 needs representative rows, received none")
        tensors = read_tensors(calibration)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _one_by_one(endpoint, tensors)
    elif rung != "float32":
        raise ValueError(f"received rung {rung!r}, expected float32 or int8")
    return bytes(converter.convert())


def _one_by_one(endpoint: str, tensors: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    rows = len(next(iter(tensors.values())))
    for row in range(rows):
        yield endpoint, {name: tensor[row : row + 1] for name, tensor in tensors.items()}


def main() -> None:
    """Convert as the arguments say; the file appears whole or not at all."""
    arguments: list[Any] = sys.argv[1:]
    saved_model, rung, out, endpoint = Path(arguments[0]), arguments[1], Path(arguments[2]), arguments[3]
    content = convert(saved_model, rung, Path(arguments[4]) if len(arguments) > 4 else None, endpoint)
    partial = out.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, out)


if __name__ == "__main__":
    child_main(main)
