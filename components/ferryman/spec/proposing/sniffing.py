"""How a file is written: Parquet or text, its separator, and whether its first line names the columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import BinaryIO, Final, cast

from ferryman.data.options import CsvFormat, ParquetFormat
from ferryman.data.text import text_lines
from ferryman.errors import DataError
from ferryman.spec.proposing.cells import NUMBERS, WHOLE, Shape, shape_of

SEPARATORS: Final = ",;\t|"

LINES: Final = 200
"""Lines that decide; more would not decide otherwise, and a page of them is read in no time."""

MAGIC: Final = b"PAR1"

FACTS: Final = NUMBERS | {Shape.DATE, Shape.THOUSANDS}
"""Cells that are values and hardly names."""


def sniff(stream: BinaryIO, source: str, label: str | None) -> CsvFormat | ParquetFormat:
    """The format of the file in `stream`; a first line that has `label` in it names the columns.

    Raises:
        DataError: the file is empty, no UTF-8, or of a kind that is not read.
    """
    content = io.BufferedReader(cast(io.RawIOBase, stream))
    if content.peek(len(MAGIC)).startswith(MAGIC):
        return ParquetFormat(kind="parquet")
    lines = list(islice(text_lines(cast(BinaryIO, content), source), LINES))
    if source.lower().endswith((".json", ".jsonl", ".ndjson")) and lines[0].lstrip()[:1] in ("{", "["):
        raise DataError("received JSON, expected CSV, TSV or Parquet: write its fields as columns", source=source)
    separator = max(SEPARATORS, key=lambda mark: _fitness(records(lines, mark), mark))
    return CsvFormat(separator=separator, header=names_columns(records(lines, separator), label))


def records(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The records in the lines that are whole; none from the first that cannot be read."""
    found: list[list[str]] = []
    try:
        for record in csv.reader(lines, delimiter=separator, strict=True):
            if record:
                found.append(record)
    except csv.Error:
        # The last record may go on behind these lines; a broken one is for the reader to refuse.
        return found
    return found


def names_columns(rows: Sequence[Sequence[str]], label: str | None) -> bool:
    """Whether the first row holds the columns' names: it has the label, or looks otherwise than what is below it."""
    if not rows:
        return True
    first, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if label is not None and label.strip() in map(str.strip, first) and shape_of(label) not in WHOLE:
        return True
    votes = sum(_vote(name, [row[place] for row in body]) for place, name in enumerate(first))
    if votes:
        return votes > 0
    return len(set(first)) == len(first) and not any(shape_of(name) in FACTS for name in first)


def _vote(name: str, cells: Sequence[str]) -> int:
    """1 where the first cell of a column differs in kind from the others, -1 where it is one of them, else 0."""
    known = [cell for cell in cells if shape_of(cell) is not Shape.MISSING]
    if not known or shape_of(name) is Shape.MISSING:
        return 0
    values = sum(shape_of(cell) in FACTS for cell in known) > len(known) / 2
    if shape_of(name) in FACTS:
        return -1 if values else 0
    return 1 if values else -(name in known)


def _fitness(rows: Sequence[Sequence[str]], separator: str) -> tuple[bool, float, float, int]:
    """How well a separator fits: equally wide rows, cells that hold no other separator, many columns."""
    if not rows:
        return False, 0.0, 0.0, 0
    ((width, times),) = Counter(map(len, rows)).most_common(1)
    others = set(SEPARATORS) - {separator}
    cells = [cell for row in rows for cell in row if len(row) == width]
    clean = sum(shape_of(cell) in NUMBERS or others.isdisjoint(cell) for cell in cells)
    return width > 1, round(times / len(rows), 1), round(clean / len(cells), 2), width
