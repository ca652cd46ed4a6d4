"""Rows in memory as batches for fitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def batches(
    device: Mapping[str, np.ndarray], target: np.ndarray, size: int, *, shuffle: bool = True, steps: int | None = None
) -> Any:
    """A `tf.data.Dataset` of (tensors by name, target), another order in each pass; indexes are shuffled, rows gathered.

    With `steps` a pass has so many batches, rows repeated when they are too few.
    """
    import tensorflow as tf

    columns = {name: tf.constant(tensor) for name, tensor in device.items()}
    wanted, rows = tf.constant(target), len(target)
    order = tf.data.Dataset.range(rows)
    if shuffle:
        order = order.shuffle(rows, reshuffle_each_iteration=True)
    order = order.batch(size)
    if steps is not None:
        order = order.repeat().take(steps)
    return order.map(
        lambda chosen: (
            {name: tf.gather(column, chosen) for name, column in columns.items()},
            tf.gather(wanted, chosen),
        )
    ).prefetch(4)
