"""A source's bytes as a table: one reader per format."""

from __future__ import annotations

from typing import BinaryIO

from ferryman.data.csv_table import CsvTable
from ferryman.data.options import CsvFormat, ParquetFormat
from ferryman.data.table import Table


def open_table(stream: BinaryIO, form: CsvFormat | ParquetFormat, source: str) -> Table:
    """The table in a stream of bytes; `source` is its name for messages.

    Raises:
        DataError: the bytes are of another format, damaged or empty.
    """
    if form.kind == "csv":
        return CsvTable(stream, form, source)
    # Reads Arrow, which a CSV file does not need.
    from ferryman.data.parquet_table import ParquetTable

    return ParquetTable(stream, source)
