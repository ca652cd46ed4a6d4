"""What a model knows, as one hash: equal content means that a release would bring nothing new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def content_hash(weights: Iterable[tuple[str, np.ndarray]], knowledge: Mapping[str, Any]) -> str:
    """SHA-256 over `weights` (path, values), whatever their order, and the JSON document `knowledge`.

    Each weight counts with path, dtype, shape and bytes. Files do not: two exports of the same weights differ in bytes
    (a random uuid in `fingerprint.pb`, the order of protobuf maps).
    """
    total = hashlib.sha256()
    for path, values in sorted(weights, key=lambda item: item[0]):
        # Little-endian on every machine, and a header of known length, so that no two lists of weights run together.
        ordered = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
        _add(total, json.dumps([path, values.dtype.name, list(values.shape)]).encode())
        _add(total, ordered.tobytes())
    _add(total, json.dumps(knowledge, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    return total.hexdigest()


def weights_by_path(model: Any) -> list[tuple[str, np.ndarray]]:
    """Path and values of each weight of a Keras model; the state of random generators is no weight."""
    return [(weight.path, weight.numpy()) for weight in model.weights]


def _add(total: Any, part: bytes) -> None:
    total.update(len(part).to_bytes(8, "little") + part)
