"""One split of the examples as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ferryman.errors import StepError
from ferryman.features import raw_tensors
from ferryman.features.base import FeatureOptions

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """Raw tensors by feature [n, ...] and the target [n]: class ids int64, or numbers float64 in the label's unit."""

    raw: dict[str, np.ndarray]
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Rows:
        """These rows, in this order."""
        return Rows({name: tensor[rows] for name, tensor in self.raw.items()}, self.target[rows])


def rows_from(features: Mapping[str, FeatureOptions], classes: Sequence[str] | None, table: pa.Table) -> Rows:
    """The rows of an examples table; `classes` in the model's order, None where the label is a number.

    Raises:
        StepError: a label is not one of the classes.
    """
    labels = table.column("label")
    target = np.asarray(labels.to_numpy(), np.float64) if classes is None else _ids(labels.to_pylist(), classes)
    return Rows(raw_tensors(features, table), target)


def _ids(labels: list[str], classes: Sequence[str]) -> np.ndarray:
    number = {name: index for index, name in enumerate(classes)}
    try:
        return np.array([number[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise StepError(
            f"received the label {error.args[0]!r}, expected one of the schema's classes {', '.join(classes)}: "
            "the examples contradict themselves (run prepare again)"
        ) from None
