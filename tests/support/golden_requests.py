"""The request that must always be answered right, whatever was sent before it."""

from __future__ import annotations

import numpy as np
from serving_client import Client

PATH = "/v1/models/m/versions/1:predict"
BODY = b'{"instances": [1.5]}'
X = np.array([1.5], np.float32)


def answers_right(served: Client) -> None:
    """One request to version 1 of `m` (request_models) over each transport."""
    assert list(served.predict({"x": X}, name="m", version=1).outputs["y"].float_val) == [15.0]
    assert served.http("POST", PATH, BODY).body == {"predictions": [15.0]}


def clean(answer: bytes) -> bytes:
    """The answer, which shows nothing of the program's inside."""
    assert b"Traceback" not in answer
    assert b'File "' not in answer
    return answer
