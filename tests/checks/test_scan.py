"""Files that are too large to be read to the end, and files that are sorted."""

from __future__ import annotations

import gzip
import io
from typing import Any

from ferryman.checks.scan import class_shares, scan
from ferryman.data.options import ClassLabel, CsvFormat, ExactSplit, HashSplit, ParquetFormat
from ferryman.features import CategoryOptions, NumberOptions
from ferryman.steps.prepare.rows import Reading

READING = Reading(
    CsvFormat(),
    {"size": NumberOptions(kind="number"), "colour": CategoryOptions(kind="category")},
    ClassLabel(kind="class", column="plant"),
    ExactSplit(),
)


def sorted_file(rows: int = 30_000, classes: int = 3) -> bytes:
    lines = [
        f"{number / 8},{'red' if number % 3 else 'blue'},plant-{number * classes // rows}" for number in range(rows)
    ]
    return "\n".join(["size,colour,plant", *lines, ""]).encode()


def found_in(content: bytes, seconds: float, reading: Reading = READING) -> Any:
    return scan(io.BytesIO(content), len(content), "plants.csv", reading, seconds)


def test_a_file_that_fits_into_the_time_is_read_to_its_end() -> None:
    found = found_in(sorted_file(), 60)
    assert (found.complete, found.seen, found.total, found.spread) == (True, 30_000, 30_000, 0)


def test_a_sorted_file_that_does_not_is_looked_into_all_over() -> None:
    found = found_in(sorted_file(), 0)
    assert not found.complete
    assert set(class_shares(found)) == {"plant-0", "plant-1", "plant-2"}
    assert 20_000 < found.total < 40_000
    assert found.spread == found.seen - 2048 == len(found.rows) - 2048


def test_a_compressed_one_cannot_be_and_its_size_is_still_guessed() -> None:
    found = found_in(gzip.compress(sorted_file()), 0)
    assert (found.complete, found.spread, found.seen) == (False, 0, 2048)
    assert found.total > 2048


def test_a_wrong_cell_in_the_middle_of_a_large_file_is_found_where_it_is_met() -> None:
    content = sorted_file().replace(b",red,plant-2", b",,plant-2")
    found = found_in(content, 0)
    assert found.bad["colour"].count > 10


def test_columns_are_read_apart_and_one_that_is_wrong_throughout_is_given_up() -> None:
    content = sorted_file(5000).replace(b",blue,", b",red,").replace(b",red,", b",,")
    found = found_in(content, 60)
    assert found.bad["colour"].count == 1024
    assert list(found.features()) == ["size"]
    assert len(found.rows) == 5000 - 1024


def test_a_row_with_several_wrong_cells_counts_in_each_column_and_is_left_out_once() -> None:
    content = b"size,colour,plant\n1,red,a\nx,,a\n3,blue,b\n"
    found = found_in(content, 60)
    assert {name: bad.count for name, bad in found.bad.items()} == {"size": 1, "colour": 1}
    assert list(found.lines) == [2, 4]
    assert class_shares(found) == {"a": 1, "b": 1}


def test_rows_without_a_label_are_counted_and_left_out() -> None:
    reading = Reading(
        READING.format,
        READING.features,
        ClassLabel(kind="class", column="plant", missing="drop"),
        HashSplit(kind="hash"),
    )
    found = found_in(b"size,colour,plant\n1,red,a\n2,red,\n3,blue,b\n4,blue,\n", 60, reading)
    assert (len(found.rows), found.rows.dropped, found.rows.read, found.seen) == (2, 2, 4, 4)
    assert len(found.rows.keyed_sides) == 2


def test_a_partly_read_file_claims_no_missing_class(shop: Any) -> None:
    shop.rows = sorted((dict(row) for row in shop.rows * 20), key=lambda row: row["sent"])
    checked = shop.check(scan_seconds=0.0)
    assert checked.of("error") == []
    assert any("the first 2,048 and" in text for text in checked.of("note"))
    assert any("classes 'back', 'kept'" in text for text in checked.of("note"))


def test_a_parquet_file_is_read_the_same_and_names_rows(tmp_path: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"size": ["1", "x", "3"] * 800, "colour": ["red"] * 2400, "plant": ["a", "b", "a"] * 800})
    pq.write_table(table, tmp_path / "plants.parquet")
    form = ParquetFormat(kind="parquet")
    reading = Reading(form, READING.features, READING.label, READING.split)
    with (tmp_path / "plants.parquet").open("rb") as stream:
        found = scan(stream, None, "plants.parquet", reading, 0.0)
    assert (found.seen, found.total, found.complete) == (2048, 2400, False)
    assert found.bad["size"].first.row == 2
    assert found.line(1) == "row 3"
