"""What every feature kind answers: its options, its parsing, its fit, its transform, its reference, its device tensors.

One row of data passes a feature in four forms:

    cells (str)  ──parse──>  Arrow column  ──raw──>  raw tensor (input of `serving_default`)
                                                        │ transform (in the graph) = reference (numpy)
                                                        v
                                              device tensors (inputs of `core`)  ──encode──>  Keras tensor for the model
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from ferryman.data.options import Options

if TYPE_CHECKING:
    import pyarrow as pa

Fitted = Mapping[str, Any]
"""What a feature learned from the train split, as plain JSON values (mean, vocabulary, ...)."""


@dataclass(frozen=True)
class TensorSpec:
    """Name, dtype (numpy name; `string` for text) and shape of one row of a tensor (without the batch)."""

    name: str
    dtype: str
    shape: tuple[int, ...] = ()


class CellError(ValueError):
    """One cell does not parse: `row` and `column` are offsets into what `parse` was given."""

    def __init__(self, row: int, column: int, received: str | None, expected: str) -> None:
        self.row, self.column, self.received, self.expected = row, column, received, expected
        super().__init__(f"received {received!r}, expected {expected}")


class FeatureOptions(Options):
    """Base of the feature kinds; a kind is one file that subclasses this with its own `kind` literal."""

    # What stands under the fields reaches the published JSON Schema.
    model_config = ConfigDict(use_attribute_docstrings=True)

    numeric: ClassVar[bool] = False
    """Whether cells are numbers: `parse` then gets them with a decimal point, whatever mark the source uses."""

    @abstractmethod
    def source_columns(self, name: str) -> list[int | str]:
        """The source columns that this feature reads, in order; `name`, the feature's own, is the default column."""

    @abstractmethod
    def parse(self, cells: Sequence[Sequence[str | None]]) -> pa.Array:
        """The Arrow column of a batch; `cells` holds a list per row, one cell per source column, None where missing.

        Raises:
            CellError: a cell is missing where that is refused, or is not what this kind reads.
        """

    @abstractmethod
    def raw_spec(self, name: str) -> TensorSpec:
        """The raw tensor of this feature: the input `name` of `serving_default`."""

    @abstractmethod
    def raw(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """The raw tensor [n, ...] of an Arrow column; text as objects (str, "" where missing), numbers NaN."""

    @abstractmethod
    def fit(self, raw: np.ndarray) -> Fitted:
        """What is learned from the raw tensor of the train split."""

    @abstractmethod
    def device_specs(self, name: str, fitted: Fitted) -> list[TensorSpec]:
        """The device tensors that `transform` gives; names start with the feature's name."""

    def sizes(self, name: str, fitted: Fitted) -> dict[str, int]:
        """Device tensor of ids -> how many ids there are, from 0 on; by default no tensor holds ids."""
        return {}

    def claimed_names(self, name: str) -> list[str]:
        """The names of the device tensors, as far as they are known before anything is fitted."""
        return [spec.name for spec in self.device_specs(name, {})]

    @abstractmethod
    def transform(self, name: str, fitted: Fitted, raw: Any) -> dict[str, Any]:
        """The same as `reference` from a `tf.Tensor`, built in the graph of the caller.

        Without lookup tables: their initialisers travel with every signature of a SavedModel, and TFLite (2.21) then
        refuses to convert `core`, which does not even use them.
        """

    @abstractmethod
    def reference(self, name: str, fitted: Fitted, raw: np.ndarray) -> dict[str, np.ndarray]:
        """The device tensors by name of the raw tensor [n, ...]: what a device computes from `preprocess.json`.

        `transform` gives the same: ids equal, floats to 1e-6.
        """

    @abstractmethod
    def encode(self, name: str, fitted: Fitted, device: Mapping[str, Any]) -> Any:
        """One Keras tensor [n, ...] for the model, from the Keras inputs that stand for the device tensors."""
