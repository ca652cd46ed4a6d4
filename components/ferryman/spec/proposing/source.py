"""A data file looked at: opened where it lies, its format found, its rows tallied, its label's column known."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ferryman.data.formats import open_table
from ferryman.data.options import CsvFormat, ParquetFormat
from ferryman.data.table import Header, Table
from ferryman.errors import UsageError
from ferryman.spec.proposing.sniffing import sniff
from ferryman.spec.proposing.survey import Survey, survey
from ferryman.spec.proposing.words import shown
from ferryman.storage.inputs import open_source


@dataclass(frozen=True)
class LookedAt:
    """What was found in a data file."""

    form: CsvFormat | ParquetFormat
    survey: Survey
    label: int
    """Position of the label's column."""


def look_at(source: str, label: str | None, cache: Path) -> LookedAt:
    """The format and the tallies of a data file, and which of its columns is the label.

    Raises:
        DataError: the file cannot be had or read.
        UsageError: there is no such column, or none was named; the message lists those that exist.
    """
    with open_source(source, Path(), cache) as stream:
        form = sniff(stream, source, label)
    with open_source(source, Path(), cache) as stream:
        table = open_table(stream, form, source)
        position = label_position(table.header, label, _first_cells(source, form, cache))
        return LookedAt(form, survey(table, position, _consumed(stream), _rows(table)), position)


def label_position(header: Header, label: str | None, first: list[str]) -> int:
    """Position of the column that a person called `label`; `first` are the cells of the first row.

    Raises:
        UsageError: there is no such column, or none was named; the message lists those that exist.
        DataError: its values are no text or numbers.
    """
    if label is None:
        raise UsageError(f"expected --label COLUMN: which column shall the model predict? {_columns(header, first)}")
    names = header.names or ()
    same = [name for name in names if name == label] or [name for name in names if name.strip() == label.strip()]
    if len(same) == 1:
        return header.position(same[0], "--label")
    if label.isdecimal() and int(label) < header.width:
        return header.position(int(label), "--label")
    if same:
        raise UsageError(f"--label {label}: {len(same)} columns have this name: give the index of one, from 0")
    near = _nearest(label, names)
    guess = f"; do you mean {near!r}?" if near else "."
    raise UsageError(f"--label {label}: there is no such column{guess} {_columns(header, first)}")


def _nearest(label: str, names: tuple[str, ...]) -> str:
    folded = {name.strip().casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(label.strip().casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def _columns(header: Header, first: list[str], most: int = 60) -> str:
    if header.names is None:
        example = ", ".join(map(shown, first[:4]))
        return (
            f"The first line ({example}, ...) looks like data and not like names, so the columns have indexes from 0 "
            f"to {header.width - 1}"
        )
    names = ", ".join(map(shown, header.names[:most])) + (", ..." if len(header.names) > most else "")
    hint = ". There is only one: is this a table?" if len(header.names) == 1 else ""
    return f"The columns are: {names}{hint}"


def _first_cells(source: str, form: CsvFormat | ParquetFormat, cache: Path) -> list[str]:
    if form.kind == "parquet" or form.header:
        return []
    with open_source(source, Path(), cache) as stream:
        return next(open_table(stream, form, source).batches(1)).rows[0]


def _rows(table: Table) -> int | None:
    """The number of rows, where the format knows it."""
    rows = getattr(table, "rows", None)
    return rows if isinstance(rows, int) else None


def _consumed(stream: BinaryIO) -> Callable[[], float]:
    """Which share of a file has been read, compressed or not; 1 where nobody knows how long it is."""
    try:
        size = os.fstat(stream.fileno()).st_size
    except (OSError, AttributeError):
        return lambda: 1.0
    return lambda: stream.tell() / size if size else 1.0
