"""TensorFlow Serving's own test models, where a checkout of it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAME = "FERRYMAN_SERVING_TESTDATA"
TESTDATA = os.environ.get(NAME, "")

needs_testdata = pytest.mark.skipif(
    not TESTDATA, reason=f"{NAME} names no folder like tensorflow_serving/servables/tensorflow/testdata"
)


def found(*parts: str) -> Path:
    """A file or folder below it, or beside it in the checkout (`../../../batching/...`); skips where there is none."""
    path = Path(TESTDATA, *parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path
