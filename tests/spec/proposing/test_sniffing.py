from __future__ import annotations

import io

import pytest

from ferryman.data.options import CsvFormat
from ferryman.errors import DataError
from ferryman.spec.proposing.sniffing import sniff


def sniffed(content: str | bytes, label: str | None = None, name: str = "rows.csv") -> CsvFormat:
    content = content.encode() if isinstance(content, str) else content
    form = sniff(io.BytesIO(content), name, label)
    assert form.kind == "csv"
    return form


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("a,b\n1,2\n3,4\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("1,5;2,5;x\n3,5;4,5;y\n", ";"),
        ("a\tb c\n1\tx, y\n2\tz, z\n", "\t"),
        ("a|b\n1|2\n3|4\n", "|"),
        ('"a";"b"\n"1,2";"x"\n"3";"y"\n', ";"),
        ('a,b\n"x;y;z",1\n"u;v;w",2\n', ","),
        ('a,b\n"one\ntwo;three",1\n"four",2\n', ","),
        ("only\n1\n2\n", ","),
    ],
)
def test_the_separator_is_the_one_that_makes_a_table(content: str, separator: str) -> None:
    assert sniffed(content).separator == separator


@pytest.mark.parametrize(
    ("content", "label", "header"),
    [
        ("a,b\n1,x\n2,y\n", None, True),
        ("1,x\n2,y\n3,x\n", None, False),
        ("red,x\nblue,y\nred,x\n", None, False),
        ("colour,kind\nred,x\nblue,y\nred,x\n", None, True),
        (",size\n0,1.5\n1,2.5\n", None, True),
        ("country,2019,2020,rich\nA,1,2,3\nB,3,4,5\n", "rich", True),
        ("5,3\n6,4\n", "5", False),
        ("when,n\n2024-01-01,a\n2024-01-02,b\n", None, True),
        ("a,b\n", None, True),
    ],
)
def test_a_header_is_what_looks_otherwise_than_the_rows_below_it(content: str, label: str | None, header: bool) -> None:
    assert sniffed(content, label).header is header


def test_a_quoted_cell_that_goes_on_beyond_the_lines_that_are_looked_at_harms_nothing() -> None:
    content = "a;b\n" + "1;2\n" * 150 + '3;"' + "line\n" * 100 + '"\n' + "1;2\n"
    assert sniffed(content) == CsvFormat(separator=";")


def test_parquet_is_known_by_its_first_bytes_and_json_is_refused() -> None:
    assert sniff(io.BytesIO(b"PAR1..."), "rows.csv", None).kind == "parquet"
    with pytest.raises(DataError, match=r"rows\.json: received JSON, expected CSV, TSV or Parquet"):
        sniffed('[{"a": 1},\n{"a": 2}]\n', name="rows.json")
