"""TensorFlow's start: quietly, and with every source of chance fixed where that is asked for."""

from __future__ import annotations

import os

LARGEST_SEED = 2**32 - 1


def quiet_tensorflow() -> None:
    """Keep TensorFlow's start-up noise out of the logs; call before its first import, harmless afterwards."""
    # 3 and not 2: where no GPU is, 2.21 reports the failed start of CUDA as an error. Python's own errors stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def fix_chance(seed: int, *, fresh_names: bool = False) -> None:
    """Make this process train bit-identically to any other one on this machine with the same `seed` and data.

    `fresh_names` counts the names of layers without one (`dense`, `dense_1`, ...) from the start again: those of the
    user's own stand in the paths of their weights, which `content` knows.
    """
    quiet_tensorflow()
    import keras
    import tensorflow as tf

    if fresh_names:
        keras.backend.clear_session()
    keras.utils.set_random_seed(seed % (LARGEST_SEED + 1))
    tf.config.experimental.enable_op_determinism()
