"""Answers of a model, written as they come: as a table, CSV, JSON or Parquet, to stdout or to a file."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from ferryman.errors import UsageError
from ferryman.storage.local import make_folder, partial_beside, sync_folder

if TYPE_CHECKING:
    import pyarrow as pa

Answers = Sequence[dict[str, Any]]
"""`label`, `score` and `scores` (class name -> score) of each row, or its `value`; None where there is no answer."""

ROW_GROUP = 16_384
"""Rows that are kept until Parquet writes them: smaller groups make larger files and slower readers."""


class Shape(StrEnum):
    """How answers are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Writer(Protocol):
    """Takes answers in batches, at least one of them not empty."""

    def write(self, answers: Answers) -> None:
        """Write some more."""

    def end(self) -> None:
        """Write what comes last."""


@contextlib.contextmanager
def written(shape: Shape, out: Path | None) -> Iterator[Callable[[Answers], None]]:
    """A function that writes answers to stdout, or to the file `out`: whole when the block ends well, else not at all."""
    if out is None:
        writer = text_writer(shape, _shown)
        yield writer.write
        writer.end()
        return
    out = out.resolve()
    make_folder(out.parent)
    partial = partial_beside(out)
    try:
        with partial.open("xb") as file:
            writer = (
                ParquetWriter(file)
                if shape is Shape.parquet
                else text_writer(shape, lambda text: file.write(text.encode()))
            )
            yield writer.write
            writer.end()
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, out)
        sync_folder(out.parent)
    finally:
        partial.unlink(missing_ok=True)


def shape_named(text: str) -> Shape:
    """The shape of that name; what is typed after `-o` may be the file that `--out` is for."""
    if text in {*Shape}:
        return Shape(text)
    meant = f"; did you mean --out {text}?" if "." in text or "/" in text else ""
    raise typer.BadParameter(f"received {text!r}, expected one of {', '.join(Shape)}{meant}")


def shape_of(shape: Shape | None, out: Path | None) -> Shape:
    """How to write to `out`: as was said, else by its name; UsageError for what stdout cannot take."""
    if shape is None:
        named = out.suffix.lstrip(".").lower() if out else ""
        return Shape(named) if named in {*Shape} else Shape.table
    if shape is Shape.parquet and out is None:
        raise UsageError(
            "-o parquet: expected --out FILE, e.g. --out answers.parquet: Parquet is no text for a terminal"
        )
    return shape


def text_writer(shape: Shape, put: Callable[[str], object]) -> Writer:
    """A writer of text; `put` gets each piece of it."""
    if shape is Shape.csv:
        return CsvWriter(put)
    return JsonWriter(put) if shape is Shape.json else TableWriter(put)


class CsvWriter:
    """A line of names, then one a row."""

    def __init__(self, put: Callable[[str], object]) -> None:
        self._put, self._begun = put, False

    def write(self, answers: Answers) -> None:
        """Write some more."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        if answers and not self._begun:
            rows.writerow(names(answers[0]))
            self._begun = True
        rows.writerows(map(cells, answers))
        self._put(text.getvalue())

    def end(self) -> None:
        """Nothing comes last."""


class JsonWriter:
    """One array of objects."""

    def __init__(self, put: Callable[[str], object]) -> None:
        self._put, self._before = put, "[\n"

    def write(self, answers: Answers) -> None:
        """Write some more."""
        for answer in answers:
            document = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
            self._put(f"{self._before}{textwrap.indent(document, '  ')}")
            self._before = ",\n"

    def end(self) -> None:
        """Close the array."""
        self._put("\n]\n")


class TableWriter:
    """Columns for people, as wide as the first rows need."""

    def __init__(self, put: Callable[[str], object]) -> None:
        self._put, self._widths = put, list[int]()

    def write(self, answers: Answers) -> None:
        """Write some more."""
        rows = [[cell if cell.isprintable() else repr(cell) for cell in cells(answer)] for answer in answers]
        if answers and not self._widths:
            rows.insert(0, [name if name.isprintable() else repr(name) for name in names(answers[0])])
            self._widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self._put("".join(f"{self._line(row)}\n" for row in rows))

    def end(self) -> None:
        """Nothing comes last."""

    def _line(self, row: Sequence[str]) -> str:
        first, *others = row
        numbers = [cell.rjust(width) for cell, width in zip(others, self._widths[1:], strict=True)]
        return "  ".join([first.ljust(self._widths[0]), *numbers])


class ParquetWriter:
    """Columns `label`, `score` and `scores` (a field a class), or `value`; an answer that is missing is null."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file, self._kept = file, list[dict[str, Any]]()
        self._writer: Any = None

    def write(self, answers: Answers) -> None:
        """Write some more."""
        self._kept += answers
        if len(self._kept) >= ROW_GROUP:
            self._flush()

    def end(self) -> None:
        """Write the rows that are left, and the file's index."""
        self._flush()
        if self._writer:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._kept:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, _schema(self._kept[0]))
        self._writer.write_table(pa.Table.from_pylist(self._kept, self._writer.schema))
        self._kept.clear()


def names(answer: dict[str, Any]) -> list[str]:
    """The columns of text: label, score and the classes' own scores, whatever these are called; or value."""
    return ["value"] if "value" in answer else ["label", "score", *answer["scores"]]


def cells(answer: dict[str, Any]) -> list[str]:
    """The cells of a row of text."""
    if "value" in answer:
        return [_cell(answer["value"])]
    return [answer["label"], _cell(answer["score"]), *map(_cell, answer["scores"].values())]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _schema(answer: dict[str, Any]) -> pa.Schema:
    import pyarrow as pa

    if "value" in answer:
        return pa.schema({"value": pa.float64()})
    scores = pa.struct({name: pa.float64() for name in answer["scores"]})
    return pa.schema({"label": pa.string(), "score": pa.float64(), "scores": scores})


def _shown(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
