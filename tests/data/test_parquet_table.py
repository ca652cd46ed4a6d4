"""Parquet as the same text cells that a CSV file has, with errors that name row and column."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferryman.data.formats import open_table
from ferryman.data.options import CsvFormat, ParquetFormat, format_from
from ferryman.data.table import Table
from ferryman.errors import DataError

FORM = ParquetFormat(kind="parquet")


def written(table: pa.Table, **options: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, **options)
    return content.getvalue()


def opened(content: bytes) -> Table:
    return open_table(io.BytesIO(content), FORM, "rows.parquet")


def cells(column: pa.Array) -> list[str]:
    table = opened(written(pa.table({"x": column})))
    return [row[0] for batch in table.batches() for row in batch.rows]


def refusal(content: bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        list(opened(content).batches())
    assert caught.value.source == "rows.parquet"
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["a", None, " b ", "NA", ""]), ["a", "", " b ", "NA", ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([2**63 - 1, -(2**53) - 1, None]), ["9223372036854775807", "-9007199254740993", ""]),
        (pa.array([2**64 - 1], type=pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, None, False]), ["true", "", "false"]),
        (pa.array([1.0, 0.1 + 0.2, 1e-5, 1e20, -0.0]), ["1.0", "0.30000000000000004", "1e-05", "1e+20", "-0.0"]),
        (pa.array([float("nan"), None, float("inf")]), ["", "", "inf"]),
        (pa.array([3.14, None, 1.0], type=pa.float32()), ["3.14", "", "1.0"]),
        (pa.array(np.array([0.1, np.nan], dtype=np.float16)), ["0.1", ""]),
        (pa.array([Decimal("12.50"), None]), ["12.50", ""]),
        (pa.array([date(2024, 1, 31), None]), ["2024-01-31", ""]),
        (pa.array([None, None]), ["", ""]),
    ],
    ids=[
        *("text", "categories", "integers", "unsigned", "booleans", "floats", "not finite", "float32", "float16"),
        *("decimals", "dates", "nothing"),
    ],
)
def test_a_value_has_the_text_that_a_csv_file_would_have(column: pa.Array, expected: list[str]) -> None:
    assert cells(column) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_stamp_is_iso_text_whatever_unit_it_is_stored_in(unit: str) -> None:
    moments = [datetime(2024, 1, 31, 12, 0, 5), None]
    assert cells(pa.array(moments, type=pa.timestamp(unit))) == ["2024-01-31T12:00:05", ""]
    zoned = pa.array(moments, type=pa.timestamp(unit)).cast(pa.timestamp(unit, "Europe/Berlin"))
    assert cells(zoned) == ["2024-01-31T12:00:05Z", ""]


def test_parts_of_a_second_are_kept_to_the_last() -> None:
    assert cells(pa.array([1, 250_000_000], type=pa.timestamp("ns"))) == [
        "1970-01-01T00:00:00.000000001",
        "1970-01-01T00:00:00.25",
    ]
    assert cells(pa.array([3_600_500], type=pa.time32("ms"))) == ["01:00:00.5"]


def test_columns_are_found_by_name_or_index_and_rows_come_in_batches_over_row_groups() -> None:
    table = opened(written(pa.table({"a": range(7), "b": list("xyzuvwt")}), row_group_size=4))
    assert (table.header.position("b"), table.header.position(0), table.header.name(1)) == (1, 0, "b")
    batches = list(table.batches(3))
    assert [row for batch in batches for row in batch.rows][:5:4] == [["0", "x"], ["4", "v"]]
    assert [place for batch in batches for place in batch.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert max(len(batch.rows) for batch in batches) <= 3


def test_an_error_names_row_and_column_and_no_line() -> None:
    table = opened(written(pa.table({"a": range(5), "b": list("xyzuv")})))
    batches = list(table.batches(2))
    error = batches[1].error(1, 1, "no")
    assert (error.row, error.line, error.column) == (4, None, "b")
    assert str(error) == "rows.parquet, row 4, column 'b': no"
    with pytest.raises(DataError, match=r"^rows\.parquet: label: there is no column 'B' \(do you mean 'b'\?\)"):
        table.header.position("B", "label")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([[1, 2], [3]]), "a nested column (list<"),
        (pa.array([{"x": 1}, {"x": 2}]), "a nested column (struct<"),
        (pa.array([b"\xff\x00", b"1"]), "received bytes (binary)"),
        (pa.array([1, 2], type=pa.duration("s")), "received a column of duration[s]"),
    ],
)
def test_a_column_that_is_no_text_is_refused_where_something_reads_it_and_harmless_elsewhere(
    column: pa.Array, words: str
) -> None:
    table = opened(written(pa.table({"odd": column, "fine": [1, 2]})))
    with pytest.raises(DataError, match=r"column 'odd': feature 'odd': ") as caught:
        table.header.position("odd", "feature 'odd'")
    assert words in str(caught.value)
    (batch,) = table.batches()
    assert [row[1] for row in batch.rows] == ["1", "2"]
    assert batch.rows[0][0] != batch.rows[1][0]


def test_a_nul_character_is_refused_with_its_row() -> None:
    error = refusal(written(pa.table({"a": ["x", "y", "z\0"]})))
    assert (error.row, error.column) == (3, "a")


WHOLE = written(pa.table({"number": range(20_000), "text": [str(number * 31) for number in range(20_000)]}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "for text say `kind: csv` in the format"),
        (b"PK\x03\x04...", "received a zip archive"),
        (b"\x1f\x8b\x08\x00...", "received a file compressed by gzip"),
        (WHOLE[:-1000], "it is cut off"),
        (WHOLE[:-200] + b"\xff" * 150 + WHOLE[-50:], "a damaged Parquet file"),
        (written(pa.table({"a": pa.array([], type=pa.int64())})), "columns but no rows"),
        (b"PAR1PAR1", "a damaged Parquet file"),
    ],
    ids=["empty", "csv", "zip", "gzip", "cut off", "damaged index", "no rows", "nothing between"],
)
def test_what_is_no_parquet_file_is_refused_once_and_clearly(content: bytes, words: str) -> None:
    assert words in str(refusal(content))


def test_a_flipped_byte_in_a_page_is_noticed() -> None:
    content = bytearray(
        written(
            pa.table({"number": np.arange(5000) * 7919 % 5000}),
            compression="none",
            use_dictionary=False,
            write_page_checksum=True,
        )
    )
    content[20_000] ^= 1
    assert "a damaged Parquet file" in str(refusal(bytes(content)))


def test_a_parquet_file_that_is_called_csv_is_told_how_to_be_read() -> None:
    with pytest.raises(DataError, match="received a Parquet file \\(say `kind: parquet` in the format\\)"):
        open_table(io.BytesIO(WHOLE), CsvFormat(), "rows.csv")


def test_a_pipe_is_read_too(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: Any) -> int:
            raise OSError("a pipe cannot seek")

    table = open_table(cast(Any, Pipe(WHOLE)), FORM, "standard input")
    assert sum(len(batch.rows) for batch in table.batches()) == 20_000


def test_the_kind_of_a_format_is_csv_where_it_is_not_written() -> None:
    assert format_from({"header": False}) == CsvFormat(header=False)
    assert format_from({"kind": "parquet", "nulls": ["NA"]}).missing == {"", "NA"}
    assert CsvFormat(nulls=("NA",)).missing == {"NA"}
