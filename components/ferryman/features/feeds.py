"""Feeds: how the raw tensors of features become the inputs of a signature that was not made by us.

Names may differ, a dimension of 1 may be there or not, several numbers may lie side by side in one input; another
dtype and another scale must be asked for. Computed with numpy by whoever sends a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from ferryman.data.options import Options
from ferryman.errors import DataError


class Feed(Options):
    """One input of a signature and where its numbers come from."""

    input: str
    """The input's alias in the signature."""

    features: tuple[str, ...] = Field(min_length=1)
    """The feature that it is; several are the columns [n, k] of one input."""

    dtype: str
    """The input's dtype (numpy name; `string` for text)."""

    shape: tuple[int, ...] = ()
    """The shape of one row of the input."""

    divide: float | None = None
    """What the numbers are divided by, after the cast."""

    @property
    def factor(self) -> np.ndarray:
        """What the numbers are multiplied with (a scalar): a graph's optimiser makes this product of a division."""
        factor: np.ndarray = np.asarray(1, self.dtype) / np.asarray(self.divide or 1.0, self.dtype)
        return factor


def feed_tensors(feeds: Sequence[Feed], raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs [n, ...] of a signature by alias, of the raw tensors [n, ...] by feature; of no feeds the raw ones.

    Raises:
        DataError: a cast would change a number.
    """
    return {feed.input: _fed(feed, raw) for feed in feeds} if feeds else dict(raw)


def _fed(feed: Feed, raw: Mapping[str, np.ndarray]) -> np.ndarray:
    columns = [_cast(name, np.asarray(raw[name]), feed) for name in feed.features]
    tensor = columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
    if feed.divide is not None:
        tensor = tensor * feed.factor
    return tensor.reshape(len(tensor), *feed.shape)


def _cast(name: str, tensor: np.ndarray, feed: Feed) -> np.ndarray:
    if feed.dtype in ("string", tensor.dtype.name):
        return tensor
    with np.errstate(invalid="ignore"):
        cast = tensor.astype(feed.dtype)
    changed = np.flatnonzero((cast.astype(np.float64) != tensor.astype(np.float64)) & _kept(cast, tensor))
    if changed.size:
        received = tensor.reshape(-1)[changed[0]]
        raise DataError(
            f"feature {name!r}: received {received:g}, which is no {feed.dtype}, the type of the input {feed.input!r}: "
            f"it can be cast only where nothing is lost"
        )
    return cast


def _kept(cast: np.ndarray, tensor: np.ndarray) -> np.ndarray:
    """Where a value must be the same: a missing number (NaN) stays one among floats and is none among integers."""
    return ~(np.isnan(tensor) & np.isnan(cast)) if cast.dtype.kind == "f" else np.ones(tensor.shape, dtype=bool)
