"""Categories: one column of names; ids for the device are 0 missing, 1 unknown, 2... the vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ferryman.data.options import Column
from ferryman.features.base import CellError, FeatureOptions, Fitted, TensorSpec

if TYPE_CHECKING:
    import pyarrow as pa

MISSING, UNKNOWN, FIRST = 0, 1, 2


class CategoryOptions(FeatureOptions):
    """A column with one of a set of names."""

    kind: Literal["category"]

    column: Column | None = None
    """The source column; by default the feature's own name."""

    missing: Literal["refuse", "category"] = "refuse"
    """What a missing cell means: an error, or a category of its own (id 0)."""

    max_vocabulary: int = Field(default=10_000, ge=1, le=1_000_000)
    """How many names are kept, the most frequent first; the others are unknown (id 1). 10,000 names are 100 kB of table
    and, at this size, a few MB of embedding: what a phone still loads."""

    def source_columns(self, name: str) -> list[int | str]:
        return [name if self.column is None else self.column]

    def parse(self, cells: Sequence[Sequence[str | None]]) -> pa.Array:
        import pyarrow as pa

        # In the raw tensor "" means missing, so an empty cell is missing too, even where it is not listed as a null.
        values = [row[0] or None for row in cells]
        if self.missing == "refuse" and None in values:
            row = values.index(None)
            raise CellError(row, 0, cells[row][0], "a category (or say `missing: category`)")
        for row, value in enumerate(values):
            if value and "\0" in value:
                raise CellError(row, 0, value, "text without NUL characters")
        return pa.array(values, type=pa.string())

    def raw_spec(self, name: str) -> TensorSpec:
        return TensorSpec(name, "string")

    def raw(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        raw = np.empty(len(column), dtype=object)
        raw[:] = [value or "" for value in column.to_pylist()]
        return raw

    def fit(self, raw: np.ndarray) -> Fitted:
        counts = Counter(_texts(raw))
        counts.pop("", None)
        # Equally frequent names in alphabetical order: the vocabulary must not depend on the order of the rows.
        ordered = sorted(counts, key=lambda value: (-counts[value], value))
        return {"vocabulary": ordered[: self.max_vocabulary]}

    def device_specs(self, name: str, fitted: Fitted) -> list[TensorSpec]:
        return [TensorSpec(name, "int32")]

    def sizes(self, name: str, fitted: Fitted) -> dict[str, int]:
        return {name: len(fitted["vocabulary"]) + FIRST}

    def transform(self, name: str, fitted: Fitted, raw: Any) -> dict[str, Any]:
        import tensorflow as tf

        ids = _ids(fitted)
        with tf.init_scope():
            hashes = _hashes(list(ids)).numpy()
        order = np.argsort(hashes)
        if (np.diff(hashes[order]) == 0).any():
            raise ValueError(f"feature {name!r}: two categories share one 63-bit hash; rename one or drop the feature")
        # Search by hash, then compare the text itself: what is not in the vocabulary is never taken for what is.
        place = tf.searchsorted(tf.constant(hashes[order]), _hashes(raw))
        place = tf.minimum(place, len(ids) - 1)
        found = tf.gather(tf.constant([text.encode() for text in np.array(list(ids), dtype=object)[order]]), place)
        number = tf.gather(tf.constant(np.array(list(ids.values()), dtype=np.int32)[order]), place)
        return {name: tf.where(tf.equal(found, raw), number, UNKNOWN)}

    def reference(self, name: str, fitted: Fitted, raw: np.ndarray) -> dict[str, np.ndarray]:
        ids = _ids(fitted)
        return {name: np.array([ids.get(text, UNKNOWN) for text in _texts(raw)], dtype=np.int32)}

    def encode(self, name: str, fitted: Fitted, device: Mapping[str, Any]) -> Any:
        import keras

        (size,) = self.sizes(name, fitted).values()
        # Rows of deviation 1, like normalised numbers: what is concatenated shares one scale in int8, and Keras' own
        # default of 0.05 would vanish in it.
        layer = keras.layers.Embedding(
            size, embedding_width(size), embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
            name=f"{name}.embedding",
        )  # fmt: skip
        encoded = layer(device[name])
        # Ids that train never shows (missing, unknown) stay where they start: at the centre, not at a random category.
        start = np.array(layer.embeddings)
        start[:FIRST] = 0.0
        layer.embeddings.assign(start)
        return encoded


def embedding_width(size: int) -> int:
    """How many numbers stand for one of `size` categories: min(600, round(1.6 size^0.56)).

    Source: fastai 2.7, fastai/tabular/model.py, emb_sz_rule (found empirically).
    """
    return min(600, round(1.6 * math.pow(size, 0.56)))


def _ids(fitted: Fitted) -> dict[str, int]:
    return {"": MISSING} | {value: number for number, value in enumerate(fitted["vocabulary"], FIRST)}


def _hashes(texts: Any) -> Any:
    import tensorflow as tf

    # FarmHash's Fingerprint64: documented never to change between releases, on every platform.
    return tf.strings.to_hash_bucket_fast(texts, 2**63 - 1)


def _texts(raw: np.ndarray) -> list[str]:
    # A golden set keeps text as UTF-8 bytes.
    return [value.decode() if isinstance(value, bytes) else str(value) for value in raw.tolist()]
