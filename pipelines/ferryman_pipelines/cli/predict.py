"""`ferryman predict`."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.errors import DataError, UnavailableError, UsageError
from ferryman.serving.record import GroupRecord, known_group, version_folder
from ferryman_pipelines.cli.completion import group_names, model_names
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import say, show, show_json

if TYPE_CHECKING:
    import numpy as np

BATCH = 256
"""Rows in one request."""


class Shape(StrEnum):
    """How predictions are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def predict(
    model: Annotated[str, typer.Argument(help="The model to ask.", metavar="MODEL", autocompletion=model_names)],
    file: Annotated[
        Path, typer.Argument(help="Rows like the raw data; - reads standard input.", metavar="[FILE]")
    ] = Path("-"),
    group: Annotated[str, typer.Option("--group", help="The serving group.", autocompletion=group_names)] = "local",
    version: Annotated[int | None, typer.Option(help="Ask this version instead of the stable one.")] = None,
    output: Annotated[Shape, typer.Option("-o", "--output", help="How to print the predictions.")] = Shape.table,
) -> None:
    """Ask the running server about rows of a file: the same columns as the raw data, with or without the label.

    Example: ferryman predict penguins birds.csv -o csv
    """
    from ferryman.controller.group import read_endpoints

    folder = home().group(group)
    record, endpoints = known_group(folder), read_endpoints(folder)
    if record is None:
        raise UnavailableError(
            f"the group {group} in {folder} holds no model; `ferryman run SPEC` releases one, `ferryman serve {group}` serves"
        )
    number = served_version(record, model, version)
    if endpoints is None:
        raise UnavailableError(f"no server runs the group {group}; start one with `ferryman serve {group}`")
    files = version_folder(folder, model, number)
    if not files.is_dir():
        raise UsageError(f"--version {number}: {model} has no such version here; without it the stable one is asked")
    card = ModelCard.read(files / "assets.extra" / "ferryman" / FILE)
    predictions: list[dict[str, Any]] = []
    with _opened(file) as stream:
        for raw in raw_batches(stream, "standard input" if str(file) == "-" else str(file), card):
            predictions += _asked(endpoints.grpc, model, version, raw, card)
    _print(predictions, output)


def served_version(record: GroupRecord, model: str, version: int | None) -> int:
    """The version whose form the rows must have; UsageError when the group does not hold the model."""
    serving = {name: part.stable.number for name, part in record.models.items() if part.stable}
    if model not in serving:
        raise UsageError(
            f"no model {model!r} serves in this group; it holds {', '.join(sorted(serving)) or 'nothing yet'}"
        )
    return version if version is not None else serving[model]


def raw_batches(stream: BinaryIO, name: str, card: ModelCard) -> Iterator[dict[str, np.ndarray]]:
    """The raw tensors of a stream's rows, batch by batch, in the form and format that the model was trained on.

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
        yield {feature: options.raw(parsed[feature]) for feature, options in features.items()}


def _check_width(width: int, card: ModelCard, name: str) -> None:
    """Refuse rows without names whose columns cannot be those of the raw data: an index would mean another column."""
    last = card.label.get("column") == card.width - 1
    allowed = {card.width, card.width - 1} if last else {card.width}
    if card.width and width not in allowed:
        expected = f"{card.width}, or {card.width - 1} without the label" if last else f"{card.width}, the label's too"
        raise DataError(f"received rows of {width} cells, expected {expected}", source=name)


def _asked(
    address: str, model: str, version: int | None, raw: Mapping[str, np.ndarray], card: ModelCard
) -> list[dict[str, Any]]:
    from ferryman.serving.client import ServerAwayError, ServingClient, ServingError

    try:
        with ServingClient(address) as client:
            label = "stable" if version is None else None
            outputs = client.predict(
                model, card.request(raw), version=version, label=label, signature=card.signature, timeout=60.0
            ).outputs
    except ServerAwayError as error:
        raise UnavailableError(f"the server at {address} does not answer: {error}") from error
    except ServingError as error:
        raise UsageError(f"the server at {address} refuses: {error.message}") from error
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


def _finite(value: Any) -> float | None:
    """The number, or None where the model has no answer: JSON knows no NaN."""
    return float(value) if math.isfinite(value) else None


def _opened(file: Path) -> BinaryIO:
    if str(file) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed; name a file, or send the rows through a pipe")
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(file)) from error


def _print(predictions: list[dict[str, Any]], output: Shape) -> None:
    unanswered = sum(row.get("value", row.get("score")) is None for row in predictions)
    if unanswered:
        say(
            f"{unanswered:,} of {len(predictions):,} rows have no answer: a number in them is too extreme for the model"
        )
    if output is Shape.json:
        show_json(predictions)
    elif predictions and output is Shape.csv:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_cells(predictions))
        show(text.getvalue().rstrip("\n"))
    elif predictions:
        rows = [[cell if cell.isprintable() else repr(cell) for cell in row] for row in _cells(predictions)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for first, *others in rows:
            cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            show("  ".join([first.ljust(widths[0]), *cells]))


def _cells(predictions: list[dict[str, Any]]) -> list[list[str]]:
    """A row of names and one a prediction: label, score and the classes' own scores, whatever these are called."""
    first = predictions[0]
    if "value" in first:
        return [["value"], *([_cell(row["value"])] for row in predictions)]
    rows = ([row["label"], _cell(row["score"]), *map(_cell, row["scores"].values())] for row in predictions)
    return [["label", "score", *first["scores"]], *rows]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
