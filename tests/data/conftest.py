"""CSV text as a table, read as the step reads it."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from ferryman.data.csv_table import CsvTable
from ferryman.data.options import CsvFormat
from ferryman.data.table import Batch

Table = Callable[..., CsvTable]


@pytest.fixture(scope="session")
def table() -> Table:
    """A table of text or bytes; keywords are those of the format."""

    def make(content: str | bytes, **options: object) -> CsvTable:
        content = content.encode() if isinstance(content, str) else content
        return CsvTable(io.BytesIO(content), CsvFormat(**options), "rows.csv")

    return make


@pytest.fixture(scope="session")
def batch(table: Table) -> Callable[..., Batch]:
    """All rows of a text as one batch."""
    return lambda content, **options: next(table(content, **options).batches(size=10**6))
