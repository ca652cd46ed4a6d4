"""The three endpoints of a model artifact's SavedModel, run in this process on numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.errors import ArtifactError
from ferryman.models.runtime import quiet_tensorflow
from ferryman.steps.convert.tensors import Tensors

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 512
"""Rows at once: bounds the memory that a split needs, and hides the cost of a call."""


class Endpoints:
    """`transform`, `core` and `serving_default` of one SavedModel."""

    def __init__(self, saved_model: Path) -> None:
        quiet_tensorflow()
        import tensorflow as tf

        # The endpoints hold no reference to the object that owns their variables.
        self._loaded: Any = tf.saved_model.load(str(saved_model))
        absent = {"transform", "core", "serving_default"} - set(self._loaded.signatures)
        if absent:
            found = sorted(self._loaded.signatures)
            raise ArtifactError(f"{saved_model}: no endpoint {', '.join(sorted(absent))}; found {found}")

    def transform(self, raw: Tensors) -> Tensors:
        """Device tensors [n, ...] of raw tensors [n, ...]."""
        return self._run("transform", raw)

    def core(self, device: Tensors) -> Tensors:
        """Numeric outputs [n, ...] of device tensors [n, ...]."""
        return self._run("core", device)

    def serve(self, raw: Tensors) -> Tensors:
        """What a client gets for raw tensors [n, ...]."""
        return self._run("serving_default", raw)

    def _run(self, name: str, inputs: Tensors) -> Tensors:
        import tensorflow as tf

        answers = self._loaded.signatures[name](**{key: tf.constant(tensor) for key, tensor in inputs.items()})
        return {key: tensor.numpy() for key, tensor in answers.items()}


def slices(table: pa.Table, size: int = BATCH) -> Iterator[pa.Table]:
    """The rows of `table` in order, `size` at a time."""
    for start in range(0, table.num_rows, size):
        yield table.slice(start, size)


def join(parts: Sequence[Mapping[str, np.ndarray]]) -> Tensors:
    """Tensors [n, ...] of many batches as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
