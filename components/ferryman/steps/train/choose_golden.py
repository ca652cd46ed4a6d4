"""Which rows become the golden set, and the answers that are recorded for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferryman.golden.golden_set import GoldenSet, Tensors
from ferryman.steps.train.trained import TrainedModel

ROWS = 256
"""Enough that every class is there; few enough to be sent to each server of a group in a second."""


def choose_rows(target: np.ndarray, *, classes: bool, limit: int = ROWS) -> np.ndarray:
    """Indexes of at most `limit` rows, ascending: as many of each class as there are, or spread evenly over numbers.

    `target` [n] holds class ids or numbers. Rows are taken in their order, which is that of a hash.
    """
    if len(target) <= limit:
        return np.arange(len(target))
    if not classes:
        ranked = np.argsort(target, kind="stable")
        return np.sort(ranked[np.linspace(0, len(target) - 1, limit).round().astype(int)])
    # Rank within its class: the first of each class come first, then the second of each, ...
    order = np.argsort(target, kind="stable")
    ids, starts = np.unique(target[order], return_index=True)
    rank = np.empty(len(target), dtype=np.int64)
    rank[order] = np.arange(len(target)) - starts[np.searchsorted(ids, target[order])]
    return np.sort(np.lexsort((np.arange(len(target)), rank))[:limit])


def record_golden(model: TrainedModel, raw: Mapping[str, np.ndarray]) -> GoldenSet:
    """The golden set of these raw rows, answered by the model in memory, before any export.

    The rows should be of the test split: on rows that it was trained on a model is so sure of itself that probabilities
    stick to 0 and 1, where a wrong server or a bad conversion hardly shows.
    """
    return GoldenSet(
        request_rows({name: raw[name] for name in model.features}),
        storable(raw),
        storable(model.device_tensors(raw)),
        storable(model.answers(raw)),
    )


def request_rows(tensors: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The rows [n, ...] as TF Serving's REST interface takes them: one object per row, each input by name."""
    columns = {name: tensor.tolist() for name, tensor in tensors.items()}
    rows = len(next(iter(columns.values())))
    return [{name: column[row] for name, column in columns.items()} for row in range(rows)]


def storable(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Text as fixed-width UTF-8 bytes: object arrays can only be stored by pickling."""
    return {name: _text(tensor) if tensor.dtype == object else tensor for name, tensor in tensors.items()}


def _text(tensor: np.ndarray) -> np.ndarray:
    texts = [text if isinstance(text, bytes) else text.encode() for text in tensor.ravel().tolist()]
    return np.array(texts, dtype=np.bytes_).reshape(tensor.shape)
