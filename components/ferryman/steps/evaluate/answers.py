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


def answers(saved_model: Path, card: ModelCard, table: pa.Table) -> np.ndarray:
    """The probabilities float64 [n, k] or values float64 [n] of the served signature on the rows of `table`.

    Raises:
        ArtifactError: the SavedModel has no such signature or output.
        DataError: a row cannot be fed to it.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    try:
        serve = loaded.signatures[card.signature]
        serve.structured_outputs[card.numeric_output]
    except KeyError as error:
        raise ArtifactError(
            f"{saved_model}: no {error} in its signatures; expected {card.signature} with {card.numeric_output}"
        ) from error
    features = features_from(card.features)
    parts = []
    for start in range(0, table.num_rows, BATCH):
        inputs = card.request(raw_tensors(features, table.slice(start, BATCH)))
        outputs = serve(**{name: tf.constant(tensor) for name, tensor in inputs.items()})
        parts.append(card.numbers({card.numeric_output: outputs[card.numeric_output].numpy()}))
    return np.concatenate(parts)
