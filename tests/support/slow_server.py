"""The model server with models that take their time: `python slow_server.py SECONDS FLAG...`.

Only the loader is another: a model answers its one number `x` after so many seconds. No TensorFlow is loaded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.model_server import loading
from ferryman.model_server.ending import at_once
from ferryman.model_server.runtime.servable import Signature, TensorInfo


class Slow:
    """A version that answers what it was given, later."""

    signature_defs = b""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        tensors = {"x": TensorInfo("x:0", "float32", (-1,))}
        self.signatures = {"serving_default": Signature(tensors, tensors)}

    def signature(self, name: str, code: int = 3) -> Signature:
        return self.signatures["serving_default"]

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        print("running", file=sys.stderr, flush=True)
        time.sleep(self.seconds)
        return dict(inputs)

    def close(self) -> None:
        """Nothing to free."""


def main() -> None:
    at_once()
    seconds = float(sys.argv.pop(1))

    def loader(options: Any) -> Callable[[Path], Slow]:
        return lambda folder: Slow(seconds)

    loading.loader = loader  # type: ignore[assignment]
    from ferryman.model_server.main import main as serve

    serve()


if __name__ == "__main__":
    main()
