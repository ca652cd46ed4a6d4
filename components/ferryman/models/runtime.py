"""TensorFlow's start: quietly, with every source of chance fixed where that is asked for, or not at all."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ferryman.errors import UnavailableError

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


@contextmanager
def bare_tensorflow() -> Iterator[None]:
    """Let `tensorflow.core....` modules load as plain files; nothing to do where TensorFlow is loaded already.

    A bare module in its place, whose `__path__` leads to the installed package, lets the protobuf modules load alone
    (0.1 s instead of 4.6). It is taken away again, so that the real TensorFlow can still be imported.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    found = importlib.util.find_spec("tensorflow")
    if found is None or found.origin is None:
        raise UnavailableError("TensorFlow's messages need the package tensorflow; try pip install 'ferryman[serve]'")
    bare = ModuleType("tensorflow")
    bare.__path__ = [str(Path(found.origin).parent)]
    sys.modules["tensorflow"] = bare
    try:
        yield
    finally:
        # The folders of the protobuf modules (tensorflow.core and below) must go too, or the real package would find
        # them half loaded; the modules with the messages themselves may be registered once only and stay.
        del sys.modules["tensorflow"]
        for name in [name for name in sys.modules if name.startswith("tensorflow.") and not name.endswith("_pb2")]:
            del sys.modules[name]
