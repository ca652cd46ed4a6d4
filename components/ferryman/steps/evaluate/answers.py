"""The answers of a SavedModel to many rows, through the signature that a server calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import ArtifactError
from ferryman.features import features_from, raw_tensors

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 256
"""Rows per call: enough to keep the cores busy, small enough for images."""

OUTPUTS = {"class": "probabilities", "number": "value"}


def answers(saved_model: Path, card: ModelCard, table: pa.Table) -> np.ndarray:
    """`probabilities` float64 [n, k] or `value` float64 [n] of `serving_default` on the rows of `table`.

    Raises:
        ArtifactError: the SavedModel has no such signature or output.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    output = OUTPUTS[card.task]
    try:
        serve = loaded.signatures["serving_default"]
        serve.structured_outputs[output]
    except KeyError as error:
        raise ArtifactError(
            f"{saved_model}: no {error} in its signatures; expected serving_default with {output}"
        ) from error
    features = features_from(card.features)
    parts = []
    for start in range(0, table.num_rows, BATCH):
        raw = raw_tensors(features, table.slice(start, BATCH))
        parts.append(serve(**{name: tf.constant(tensor) for name, tensor in raw.items()})[output].numpy())
    return np.concatenate(parts).astype(np.float64)


def targets(card: ModelCard, table: pa.Table) -> np.ndarray:
    """The true answers: class indexes int64 [n] in the order of `card.classes`, or numbers float64 [n]."""
    labels = table.column("label").to_pylist()
    if card.task == "number":
        return np.array(labels, dtype=np.float64)
    index = {name: number for number, name in enumerate(card.classes)}
    unknown = sorted(set(labels) - index.keys())
    if unknown:
        raise ArtifactError(
            f"the test split has the class {unknown[0]!r}, which the model does not know: {card.classes}"
        )
    return np.array([index[label] for label in labels], dtype=np.int64)
