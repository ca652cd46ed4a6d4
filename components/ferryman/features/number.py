"""Numbers: one column of finite decimals; normalised to mean 0 and deviation 1, missing ones imputed with the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ferryman.data.options import Column
from ferryman.features.base import CellError, FeatureOptions, Fitted, TensorSpec

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).tiny)
LARGEST_DEVIATION = float(np.float32(1 / SMALLEST))
EXPECTED = "a finite number within float32 (the server's and the device's type)"


class NumberOptions(FeatureOptions):
    """A column of finite numbers."""

    numeric: ClassVar[bool] = True

    kind: Literal["number"]

    column: Column | None = None
    """The source column; by default the feature's own name."""

    missing: Literal["refuse", "mean"] = "refuse"
    """What a missing cell means: an error, or the mean of the train split with a flag `NAME_missing` beside it."""

    def source_columns(self, name: str) -> list[int | str]:
        return [name if self.column is None else self.column]

    def parse(self, cells: Sequence[Sequence[str | None]]) -> pa.Array:
        import pyarrow as pa

        try:
            # float() takes "1_000" as 1000, which no CSV means.
            values = [None if row[0] is None else float(row[0].replace("_", "?")) for row in cells]
        except ValueError:
            raise self._culprit(cells) from None
        known = np.array([value for value in values if value is not None], dtype=np.float64)
        if not (np.abs(known) <= LARGEST).all() or (self.missing == "refuse" and len(known) < len(values)):
            raise self._culprit(cells)
        return pa.array(values, type=pa.float64())

    def _culprit(self, cells: Sequence[Sequence[str | None]]) -> CellError:
        for number, row in enumerate(cells):
            if row[0] is None:
                if self.missing == "refuse":
                    return CellError(number, 0, None, "a number (or say `missing: mean`)")
            elif not _is_number(row[0]):
                return CellError(number, 0, row[0], EXPECTED)
        raise AssertionError("every cell parses")

    def raw_spec(self, name: str) -> TensorSpec:
        return TensorSpec(name, "float32")

    def raw(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64).astype(np.float32)

    def fit(self, raw: np.ndarray) -> Fitted:
        known = raw[~np.isnan(raw)].astype(np.float64)
        if not len(known):
            return {"mean": 0.0, "deviation": 1.0}
        # Rounded to float32 here, so that the graph, the reference and a device's own code start from equal constants.
        deviation = float(np.float32(known.std()))
        # A constant column stays at 0; below the smallest normal number the factor of the transform would be infinite,
        # above the largest deviation it would be no normal number, which TensorFlow takes for 0.
        deviation = min(deviation, LARGEST_DEVIATION) if deviation > SMALLEST else 1.0
        return {"mean": float(np.float32(known.mean())), "deviation": deviation}

    def device_specs(self, name: str, fitted: Fitted) -> list[TensorSpec]:
        flag = [TensorSpec(f"{name}_missing", "float32")] if self.missing == "mean" else []
        return [TensorSpec(name, "float32"), *flag]

    def transform(self, name: str, fitted: Fitted, raw: Any) -> dict[str, Any]:
        import tensorflow as tf

        mean, factor = _constants(fitted)
        normal = (raw - mean) * factor
        if self.missing == "refuse":
            return {name: normal}
        missing = tf.math.is_nan(raw)
        imputed = tf.where(missing, tf.zeros_like(raw), normal)
        return {name: imputed, f"{name}_missing": tf.cast(missing, tf.float32)}

    def reference(self, name: str, fitted: Fitted, raw: np.ndarray) -> dict[str, np.ndarray]:
        mean, factor = _constants(fitted)
        raw = np.asarray(raw, dtype=np.float32)
        normal = (raw - mean) * factor
        if self.missing == "refuse":
            return {name: normal}
        missing = np.isnan(raw)
        imputed = np.where(missing, np.float32(0), normal)
        return {name: imputed, f"{name}_missing": missing.astype(np.float32)}

    def encode(self, name: str, fitted: Fitted, device: Mapping[str, Any]) -> Any:
        import keras

        columns = [keras.ops.expand_dims(device[spec.name], -1) for spec in self.device_specs(name, fitted)]
        return columns[0] if len(columns) == 1 else keras.ops.concatenate(columns, axis=-1)


def _constants(fitted: Fitted) -> tuple[np.float32, np.float32]:
    # A factor and no division: the graph optimiser turns a division into this very product and so rounds otherwise.
    return np.float32(fitted["mean"]), np.float32(1) / np.float32(fitted["deviation"])


def _is_number(cell: str) -> bool:
    try:
        return "_" not in cell and abs(float(cell)) <= LARGEST
    except ValueError:
        return False
