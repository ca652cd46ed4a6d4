from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.data.csv_table import CsvTable
from ferryman.data.table import Batch
from ferryman.errors import DataError

Table = Callable[..., CsvTable]

TEXT = "name,size\nfern,1\nmoss,2\n"


def everything(table: CsvTable, size: int = 1024) -> list[list[str]]:
    return [row for batch in table.batches(size) for row in batch.rows]


def refusal(table: Table, content: str | bytes, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        everything(table(content, **options))
    assert caught.value.source == "rows.csv"
    return caught.value


def test_a_header_names_the_columns_and_is_no_row(table: Table) -> None:
    with_header, without = table(TEXT), table(TEXT, header=False)
    assert with_header.header.names == ("name", "size")
    assert everything(with_header) == [["fern", "1"], ["moss", "2"]]
    assert without.header.names is None
    assert everything(without) == [["name", "size"], ["fern", "1"], ["moss", "2"]]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TEXT.encode(), mtime=0),
        gzip.compress(TEXT[:9].encode(), mtime=0) + gzip.compress(TEXT[9:].encode(), mtime=0),
        b"\xef\xbb\xbf" + TEXT.encode(),
        gzip.compress(b"\xef\xbb\xbf" + TEXT.encode(), mtime=0),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.rstrip().encode(),
        ("\n" + TEXT.replace("\n", "\n\n")).encode(),
    ],
    ids=["gzip", "gzip of two members", "byte order mark", "both", "CR LF", "no last line end", "blank lines"],
)
def test_the_same_rows_are_read_however_they_are_wrapped(table: Table, content: bytes) -> None:
    read = table(content)
    assert read.header.names == ("name", "size")
    assert everything(read) == [["fern", "1"], ["moss", "2"]]


def test_cells_keep_their_text(table: Table) -> None:
    read = table('a;"b ""x"" ;\n";c\n 1 ; "2";NA\n', separator=";", header=False)
    assert everything(read) == [["a", 'b "x" ;\n', "c"], [" 1 ", ' "2"', "NA"]]


def test_batches_are_full_but_the_last_and_never_empty(table: Table) -> None:
    content = "n\n" + "".join(f"{number}\n" for number in range(7))
    assert [len(batch.rows) for batch in table(content).batches(3)] == [3, 3, 1]
    assert [len(batch.rows) for batch in table(content).batches(7)] == [7]


def test_lines_are_those_of_an_editor_also_after_quoted_line_ends_and_blank_lines(table: Table) -> None:
    content = 'n,m\n"one\ntwo",1\n\n2,2\n"a\r\n\r\nb",3\n4,4\n'
    (batch,) = table(content).batches()
    assert batch.lines == [2, 5, 6, 9]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12),
    separator=st.sampled_from(",;\t|"),
    # The writer (3.11) quotes a lone CR only where it is part of the line end.
    form=st.sampled_from([(csv.QUOTE_ALL, "\n"), (csv.QUOTE_MINIMAL, "\r\n")]),
    packed=st.booleans(),
    size=st.integers(1, 5),
)
def test_what_was_written_is_read_back_with_its_lines(
    table: Table, rows: list[list[str]], separator: str, form: tuple[int, str], packed: bool, size: int
) -> None:
    text, lines = io.StringIO(newline=""), []
    # A first cell of its own keeps a byte order mark that is data from being taken for one.
    writer = csv.writer(text, delimiter=separator, quoting=form[0], lineterminator=form[1])
    for row in rows:
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(["x", *row])
    content = text.getvalue().encode()
    read = table(gzip.compress(content) if packed else content, separator=separator, header=False)
    batches = list(read.batches(size))
    assert [row for batch in batches for row in batch.rows] == [["x", *row] for row in rows]
    assert [line for batch in batches for line in batch.lines] == lines


def test_a_row_with_a_cell_too_many_or_too_few_is_refused_with_its_line(table: Table) -> None:
    error = refusal(table, 'a,b\n"1\n1",2\n3,4,5\n')
    assert error.line == 4
    assert str(error).startswith("rows.csv, line 4: received 3 cells, expected 2 as in the header")
    assert "received 1 cells, expected 2 as in line 2" in str(refusal(table, "\n1,2\n3\n", header=False))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "the file is empty"),
        (gzip.compress(b"", mtime=0), None, "empty (once decompressed)"),
        (b"\n\n \n".replace(b" ", b""), None, "only blank lines"),
        (b"a,b\n", None, "a header but no rows"),
        (b"a,b\n1,2\n\xff\xfe\x00\x01\n", 3, "not UTF-8: byte 1 of the line is 0xff"),
        ("a,b\n1,2\nä,ö\n".encode("latin-1"), 3, "not UTF-8: byte 1 of the line is 0xe4"),
        ("a,b\n1,fünf\n".encode("cp1252"), 2, "0xfc after '1,f'; save the file as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), None, "UTF-16 text"),
        (b"a,b\n1,2\n3,\x00\n", 3, "a NUL character"),
        (b"PK\x03\x04rest", None, "received a zip archive"),
        (gzip.compress(b"PAR1rest", mtime=0), None, "received a Parquet file"),
        (b'a,b\n1,2\n"3,4\n5,6\n', 3, "a quote opens in this row and does not close (by line 4)"),
        (b'a,b\n1,"2"x\n', 2, "text after a closing quote"),
        (b"a,b\r1,2\r", 1, "a line end of the form CR alone"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", 2, "a cell of more than 131,072 characters"),
    ],
)
def test_what_is_no_table_is_refused_once_and_clearly(
    table: Table, content: bytes, line: int | None, words: str
) -> None:
    error = refusal(table, content)
    assert words in str(error)
    assert error.line == line
    assert "\n" not in str(error)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_gzip_file_that_was_cut_off_is_refused_wherever_it_ends(table: Table, share: float) -> None:
    whole = gzip.compress("".join(f"{number},{number * 7919 % 1000}\n" for number in range(20_000)).encode())
    error = refusal(table, whole[: int(len(whole) * share)], header=False)
    assert "the gzip stream ends before its end" in str(error)
    assert error.line is not None
    assert error.line <= 20_001


# Byte 10 begins the first block; 0x07 gives it a type that does not exist (RFC 1951, section 3.2.3).
@pytest.mark.parametrize(("place", "flip"), [(10, None), (-6, 0xFF)], ids=["type of the first block", "checksum"])
def test_a_gzip_file_with_a_changed_byte_is_refused(table: Table, place: int, flip: int | None) -> None:
    content = bytearray(gzip.compress("".join(f"{number},{number * 31 % 17}\n" for number in range(1000)).encode()))
    content[place] = content[place] ^ flip if flip else 0x07
    assert "damaged gzip stream" in str(refusal(table, bytes(content), header=False))


def test_a_column_is_found_by_name_or_index(table: Table) -> None:
    header = table("name,size,Name\n1,2,3\n").header
    assert header.position("size") == 1
    assert header.position("Name") == 2
    assert header.position(2) == 2
    assert (header.name(1), table("1,2\n", header=False).header.name(1)) == ("size", 1)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Size ", "there is no column 'Size ' (do you mean 'size'?); there are 'name', 'size', 'size_2'"),
        ("colour", "there is no column 'colour'; there are"),
        (3, "there is no column 3, expected 0 to 2 (3 columns)"),
    ],
)
def test_an_unknown_column_names_those_that_exist(table: Table, column: str | int, words: str) -> None:
    with pytest.raises(DataError) as caught:
        table("name,size,size_2\n1,2,3\n").header.position(column, "feature 'size'")
    assert f"feature 'size': {words}" in str(caught.value)


def test_a_name_that_two_columns_have_is_ambiguous(table: Table) -> None:
    with pytest.raises(DataError, match="2 columns are called 'a'"):
        table("a,b,a\n1,2,3\n").header.position("a")


def test_a_name_without_a_header_asks_for_an_index(table: Table) -> None:
    with pytest.raises(DataError, match="`header: false`: expected an index from 0 to 1"):
        table("1,2\n", header=False).header.position("size")


def test_one_column_only_hints_at_the_separator(table: Table) -> None:
    with pytest.raises(DataError, match="is the separator right"):
        table("name;size\n1;2\n").header.position("name")


def test_a_part_of_a_batch_keeps_its_lines(batch: Callable[..., Batch]) -> None:
    part = batch("a,b\n1,2\n3,4\n5,6\n").take([0, 2])
    assert (part.lines, part.rows) == ([2, 4], [["1", "2"], ["5", "6"]])
    assert str(part.error(1, 1, "no")) == "rows.csv, line 4, column 'b': no"


def test_the_rows_before_a_broken_line_come_first(table: Table) -> None:
    batches = table("n,m\n1,2\n3,4\n5\n6,7\n").batches()
    assert next(batches).rows == [["1", "2"], ["3", "4"]]
    with pytest.raises(DataError, match="line 4"):
        next(batches)
