"""Images: pixels in a range of columns, row by row; uint8 up to the device, scaled to 0..1 inside the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ferryman.data.options import Options
from ferryman.features.base import CellError, FeatureOptions, Fitted, TensorSpec

if TYPE_CHECKING:
    import pyarrow as pa

Length = Annotated[int, Field(ge=1)]


class PixelColumns(Options):
    """The columns that hold the pixels, by index from 0; both ends belong to the image."""

    first: int = Field(ge=0)
    last: int = Field(ge=0)


class ImageOptions(FeatureOptions):
    """An image with one whole number per cell."""

    numeric: ClassVar[bool] = True

    kind: Literal["image"]

    columns: PixelColumns
    """Where the pixels lie: row by row from the top left, the channels of a pixel side by side."""

    shape: tuple[Length, Length, Length]
    """Height, width, channels."""

    scale: int = Field(default=255, ge=1, le=255)
    """The largest value that a pixel can have; 255 is that of 8-bit images."""

    @model_validator(mode="after")
    def _columns_fill_the_shape(self) -> Self:
        received, expected = self.columns.last - self.columns.first + 1, math.prod(self.shape)
        if received != expected:
            shape = " x ".join(map(str, self.shape))
            raise ValueError(
                f"columns {self.columns.first} to {self.columns.last} are {received:,} cells, "
                f"but the shape {shape} has {expected:,} (columns.last is the image's last column)"
            )
        return self

    def source_columns(self, name: str) -> list[int | str]:
        return list(range(self.columns.first, self.columns.last + 1))

    def parse(self, cells: Sequence[Sequence[str | None]]) -> pa.Array:
        import pyarrow as pa

        # Looking up "0".."255" is six times faster than numpy's conversion of text; anything else takes the slow road.
        pixel_of = _pixels(self.scale).__getitem__
        rows = []
        for number, row in enumerate(cells):
            try:
                rows.append(bytes(map(pixel_of, row)))
            except KeyError:
                rows.append(self._parse_row(number, row))
        return pa.array(rows, type=pa.binary(math.prod(self.shape)))

    def _parse_row(self, number: int, row: Sequence[str | None]) -> bytes:
        pixels = []
        for column, cell in enumerate(row):
            pixel = _whole(cell)
            if pixel is None or not 0 <= pixel <= self.scale:
                raise CellError(number, column, cell, f"a whole number from 0 to {self.scale}")
            pixels.append(pixel)
        return bytes(pixels)

    def raw_spec(self, name: str) -> TensorSpec:
        return TensorSpec(name, "uint8", self.shape)

    def raw(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        pixels = b"".join(column.to_pylist())
        return np.frombuffer(pixels, dtype=np.uint8).reshape(-1, *self.shape)

    def fit(self, raw: np.ndarray) -> Fitted:
        return {}

    def device_specs(self, name: str, fitted: Fitted) -> list[TensorSpec]:
        return [TensorSpec(name, "uint8", self.shape)]

    def transform(self, name: str, fitted: Fitted, raw: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {name: tf.identity(raw)}

    def reference(self, name: str, fitted: Fitted, raw: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.asarray(raw, dtype=np.uint8)}

    def encode(self, name: str, fitted: Fitted, device: Mapping[str, Any]) -> Any:
        import keras

        return keras.layers.Rescaling(1.0 / self.scale, name=f"{name}.scaled")(device[name])


@cache
def _pixels(scale: int) -> dict[str | None, int]:
    return {str(value): value for value in range(scale + 1)}


def _whole(cell: str | None) -> int | None:
    try:
        number = float(cell if cell is not None and "_" not in cell else "")
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
