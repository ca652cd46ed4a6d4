"""The features' columns of raw rows: cells in, Arrow arrays out, errors with the line and column of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from ferryman.data.numerals import advice, pointed
from ferryman.data.table import Batch, Header
from ferryman.errors import DataError
from ferryman.features.base import CellError, FeatureOptions

if TYPE_CHECKING:
    import pyarrow as pa


class FeatureColumns:
    """Where the features' cells lie in the rows of one source.

    `meant` are the names of the columns that indexes stand for, where another source than this one counts: of rows for
    a model that was trained on a file of other columns.

    Raises:
        DataError: a feature's column does not exist.
    """

    def __init__(
        self,
        header: Header,
        features: Mapping[str, FeatureOptions],
        nulls: Collection[str],
        meant: Sequence[str] | None = None,
    ) -> None:
        self.header, self.features, self.nulls = header, features, frozenset(nulls)
        self.positions = {
            name: [
                header.position(meant[column] if meant and isinstance(column, int) else column, f"feature {name!r}")
                for column in feature.source_columns(name)
            ]
            for name, feature in features.items()
        }

    def refuse(self, position: int) -> None:
        """Refuse that a feature reads the label's column: the model would be told what it is asked.

        Raises:
            DataError: one does.
        """
        for name, positions in self.positions.items():
            if position in positions:
                raise DataError(
                    f"feature {name!r} reads the label's own column: leave it out of the feature",
                    source=self.header.source,
                    column=self.header.name(position),
                )

    def parse(self, batch: Batch) -> dict[str, pa.Array]:
        """The typed column of each feature.

        Raises:
            DataError: a cell does not parse (it names line and column).
        """
        parsed = {}
        for name, feature in self.features.items():
            positions = self.positions[name]
            try:
                cells = self._cells(batch, positions)
                parsed[name] = feature.parse(self._pointed(cells) if feature.numeric else cells)
            except CellError as error:
                raise self._located(batch, name, positions, error) from None
        return parsed

    def _cells(self, batch: Batch, positions: Sequence[int]) -> list[list[str | None]]:
        nulls = self.nulls
        if len(positions) == 1:
            only = positions[0]
            return [[None if (cell := row[only]) in nulls else cell] for row in batch.rows]
        if list(positions) == list(range(positions[0], positions[-1] + 1)):
            # An image's pixels: slicing is many times faster than picking.
            chosen = [row[positions[0] : positions[-1] + 1] for row in batch.rows]
        else:
            chosen = [[row[position] for position in positions] for row in batch.rows]
        return [
            list(cells) if nulls.isdisjoint(cells) else [None if cell in nulls else cell for cell in cells]
            for cells in chosen
        ]

    def _pointed(self, cells: list[list[str | None]]) -> list[list[str | None]]:
        decimal = self.header.decimal
        if decimal == ".":
            return cells
        return [[None if cell is None else pointed(cell, decimal) for cell in row] for row in cells]

    def _located(self, batch: Batch, name: str, positions: Sequence[int], error: CellError) -> DataError:
        received, hint = "a missing cell", ""
        if error.received is not None:
            # What the file says, and not what became of its decimal marks.
            cell = batch.rows[error.row][positions[error.column]]
            received = _shortened(cell)
            hint = advice(cell, self.header.decimal) if self.features[name].numeric else ""
        message = f"feature {name!r}: received {received}, expected {error.expected}{hint}"
        if self.header.names is None and batch.lines[error.row] == 1:
            message += " (if the first line names the columns, say `header: true` in the format)"
        return batch.error(error.row, positions[error.column], message)


def _shortened(text: str, length: int = 80) -> str:
    return repr(text if len(text) <= length else f"{text[:length]}...")
