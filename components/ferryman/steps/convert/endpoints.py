"""The three endpoints of a model artifact's SavedModel, run in this process on numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import ArtifactError
from ferryman.features import feed_tensors
from ferryman.models.runtime import quiet_tensorflow
from ferryman.steps.convert.tensors import Tensors

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 512
"""Rows at once: bounds the memory that a split needs, and hides the cost of a call."""


class Endpoints:
    """What of a SavedModel the card names: the served signature, `core`, and what makes its inputs of raw tensors."""

    def __init__(self, saved_model: Path, card: ModelCard) -> None:
        if card.core is None:
            raise ArtifactError(f"{saved_model}: nothing to convert: {card.no_core}")
        quiet_tensorflow()
        import tensorflow as tf

        # The endpoints hold no reference to the object that owns their variables.
        self._loaded: Any = tf.saved_model.load(str(saved_model))
        self._card, self.core_card = card, card.core
        # Without a graph of its own the transform is the card's feeds.
        self._fed = card.core.feeds if "transform" not in self._loaded.signatures else None
        wanted = {card.core.signature, card.signature} | ({"transform"} if card.core.feeds is None else set())
        absent = wanted - set(self._loaded.signatures)
        if absent:
            found = sorted(self._loaded.signatures)
            raise ArtifactError(f"{saved_model}: no endpoint {', '.join(sorted(absent))}; found {found}")

    def transform(self, raw: Tensors) -> Tensors:
        """Device tensors [n, ...] of raw tensors [n, ...]."""
        return self._run("transform", raw) if self._fed is None else feed_tensors(self._fed, raw)

    def core(self, device: Tensors) -> Tensors:
        """Numeric outputs [n, ...] of device tensors [n, ...]."""
        return self._run(self.core_card.signature, device)

    def serve(self, raw: Tensors) -> np.ndarray:
        """What a client gets for raw tensors [n, ...]: probabilities float64 [n, k] or values [n]."""
        return self._card.numbers(self._run(self._card.signature, self._card.request(raw)))

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
