"""`ferryman predict`."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.errors import DataError, UnavailableError, UsageError
from ferryman.serving.record import GroupRecord, read_group, version_folder
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import show, show_json

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
    model: Annotated[str, typer.Argument(help="The model to ask.", metavar="MODEL")],
    file: Annotated[
        Path, typer.Argument(help="Rows like the raw data; - reads standard input.", metavar="[FILE]")
    ] = Path("-"),
    group: Annotated[str, typer.Option("--group", help="The serving group.")] = "local",
    version: Annotated[int | None, typer.Option(help="Ask this version instead of the stable one.")] = None,
    output: Annotated[Shape, typer.Option("-o", "--output", help="How to print the predictions.")] = Shape.table,
) -> None:
    """Ask the running server about rows of a file: the same columns as the raw data, with or without the label.

    Example: ferryman predict penguins birds.csv -o csv
    """
    from ferryman.controller.group import read_endpoints

    folder = home().group(group)
    record, endpoints = read_group(folder), read_endpoints(folder)
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
    """The raw tensors of a CSV stream, batch by batch, in the form that the model was trained on.

    Without a header the rows have all columns, or all but the label's when that is the last one.

    Raises:
        DataError: a cell or a row is wrong; it names line and column.
    """
    from ferryman.data.csv_table import CsvTable
    from ferryman.data.options import CsvFormat
    from ferryman.features import features_from
    from ferryman.features.columns import FeatureColumns

    form = CsvFormat.model_validate(card.format)
    features = features_from(card.features)
    table = CsvTable(stream, form, name)
    columns = FeatureColumns(table.header, features, form.nulls)
    for batch in table.batches(BATCH):
        parsed = columns.parse(batch)
        yield {feature: options.raw(parsed[feature]) for feature, options in features.items()}


def _asked(
    address: str, model: str, version: int | None, raw: Mapping[str, np.ndarray], card: ModelCard
) -> list[dict[str, Any]]:
    from ferryman.serving.client import ServerAwayError, ServingClient, ServingError

    try:
        with ServingClient(address) as client:
            label = "stable" if version is None else None
            outputs = client.predict(model, raw, version=version, label=label, timeout=60.0).outputs
    except ServerAwayError as error:
        raise UnavailableError(f"the server at {address} does not answer: {error}") from error
    except ServingError as error:
        raise UsageError(f"the server at {address} refuses: {error.message}") from error
    if card.task == "number":
        return [{"value": float(value)} for value in outputs["value"]]
    return [
        {
            "label": label.decode(),
            "score": float(scores.max()),
            "scores": dict(zip(card.classes, map(float, scores), strict=True)),
        }
        for label, scores in zip(outputs["label"], outputs["probabilities"], strict=True)
    ]


def _opened(file: Path) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(file)) from error


def _print(predictions: list[dict[str, Any]], output: Shape) -> None:
    if output is Shape.json:
        show_json(predictions)
        return
    if not predictions:
        return
    rows = [{**{k: v for k, v in p.items() if k != "scores"}, **p.get("scores", {})} for p in predictions]
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    if output is Shape.csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([names, *cells])
        show(text.getvalue().rstrip("\n"))
        return
    widths = [max(len(row[at]) for row in [names, *cells]) for at in range(len(names))]
    for row in [names, *cells]:
        show(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
