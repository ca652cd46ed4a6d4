"""Rows of a file as the tensors that a model was trained on, and what a server answers to them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import DataError, UnavailableError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from ferryman.serving.client import ServingClient

BATCH = 256
"""Rows in one request."""


@dataclass(frozen=True)
class RawRows:
    """Some rows of a file: their tensors by feature, and where in the file they stand."""

    source: str
    counts: str
    """What `places` count: line or row."""

    places: list[int]
    tensors: Mapping[str, np.ndarray]

    def error(self, message: str) -> UsageError:
        """An error about all of these rows."""
        return UsageError(f"{self.source}, {self.counts}s {self.places[0]:,} to {self.places[-1]:,}: {message}")


def raw_batches(stream: BinaryIO, name: str, card: ModelCard) -> Iterator[RawRows]:
    """A stream's rows, batch by batch, in the form and format that the model was trained on.

    Without a header the rows have all columns, or all but the label's when that is the last one.

    Raises:
        DataError: a cell or a row is wrong; it names line (of Parquet: row) and column.
    """
    from ferryman.data.formats import open_table
    from ferryman.data.options import format_from
    from ferryman.features import features_from
    from ferryman.features.columns import FeatureColumns

    form = format_from(card.format)
    features = features_from(card.features)
    table = open_table(stream, form, name)
    if form.kind == "csv" and not form.header:
        _check_width(table.header.width, card, name)
    columns = FeatureColumns(table.header, features, form.missing, card.columns)
    for batch in table.batches(BATCH):
        parsed = columns.parse(batch)
        tensors = {feature: options.raw(parsed[feature]) for feature, options in features.items()}
        yield RawRows(name, table.header.counts, batch.lines, tensors)


def answers_of(
    client: ServingClient, model: str, version: int | None, rows: RawRows, card: ModelCard
) -> list[dict[str, Any]]:
    """What the server says to the rows: of each `label`, `score` and `scores`, or its `value`; None for no number.

    Raises:
        UnavailableError: it cannot be reached. UsageError: it refuses; says which rows it refuses.
    """
    from ferryman.serving.client import ServerAwayError, ServingError

    try:
        label = "stable" if version is None else None
        inputs, signature = card.request(rows.tensors), card.signature
        outputs = client.predict(model, inputs, version=version, label=label, signature=signature, timeout=60.0).outputs
    except ServerAwayError as error:
        raise UnavailableError(f"the server at {client.address} does not answer: {error}") from error
    except ServingError as error:
        message = f"the server at {client.address} refuses: {error.message}"
        # Of any other kind it would refuse all rows alike.
        raise rows.error(message) if error.code == "INVALID_ARGUMENT" else UsageError(message) from error
    if card.task == "number":
        return [{"value": _finite(value)} for value in card.numbers(outputs)]
    return [
        {
            "label": label,
            "score": _finite(scores.max()),
            "scores": dict(zip(card.classes, map(_finite, scores), strict=True)),
        }
        for label, scores in zip(card.labels(outputs), card.numbers(outputs), strict=True)
    ]


def _check_width(width: int, card: ModelCard, name: str) -> None:
    """Refuse rows without names whose columns cannot be those of the raw data: an index would mean another column."""
    last = card.label.get("column") == card.width - 1
    allowed = {card.width, card.width - 1} if last else {card.width}
    if card.width and width not in allowed:
        expected = f"{card.width}, or {card.width - 1} without the label" if last else f"{card.width}, the label's too"
        raise DataError(f"received rows of {width} cells, expected {expected}", source=name)


def _finite(value: Any) -> float | None:
    """The number, or None where the model has no answer: JSON knows no NaN."""
    return float(value) if math.isfinite(value) else None
