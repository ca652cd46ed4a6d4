"""TensorFlow Serving's messages and stubs without TensorFlow.

`tensorflow_serving.apis` imports TensorFlow's own protobuf modules, and with them all of TensorFlow (4.6 s, 660 MB). A
bare module in its place, whose `__path__` leads to the installed package, lets these modules load alone (0.1 s). It is
taken away again, so that the real TensorFlow can still be imported. Everything else imports the protocol from here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ferryman.errors import UnavailableError


@contextmanager
def _bare_tensorflow() -> Iterator[None]:
    """Let `tensorflow.core....` modules load as plain files; nothing to do where TensorFlow is loaded already."""
    if "tensorflow" in sys.modules:
        yield
        return
    found = importlib.util.find_spec("tensorflow")
    if found is None or found.origin is None:
        raise UnavailableError(
            "TensorFlow Serving's protocol needs the package tensorflow; try pip install 'ferryman[serve]'"
        )
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


with _bare_tensorflow():
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "tensor_pb2",
    "tensor_shape_pb2",
    "types_pb2",
]
