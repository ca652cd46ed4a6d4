"""Files as people have them: each gives a spec that parses and reads every row, or is refused with the right words."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import own_data
import pytest

from ferryman.errors import DataError, UsageError
from ferryman.spec.proposing import survey

Look = Callable[..., Any]


def table(columns: dict[str, Any], rows: int = 60) -> str:
    """CSV text; a column is a constant, or says a cell by its row's number."""
    cells = [[str(make(row) if callable(make) else make) for make in columns.values()] for row in range(rows)]
    return "".join(",".join(line) + "\n" for line in [list(columns), *cells])


GOOD: dict[str, Any] = {"x": lambda row: row * 37 % 60 / 4, "y": lambda row: "ab"[row % 2]}


@pytest.mark.parametrize("name", own_data.RUNNABLE)
def test_a_proposal_parses_and_reads_every_row_of_its_file(look: Look, tmp_path: Path, name: str) -> None:
    make, label = own_data.RUNNABLE[name]
    found = look(make(tmp_path), label)
    assert found.spec.name == "mine"
    assert len(found.rows) == found.proposal.rows > 100
    assert "# " in found.text
    assert max(map(len, found.text.splitlines())) <= 130


def test_houses_are_read_with_decimal_commas_and_what_no_model_can_learn_from_is_left_out(
    look: Look, tmp_path: Path
) -> None:
    found = look(own_data.houses(tmp_path), "Preis")
    data = found.spec.data
    assert (data.format.separator, data.format.decimal, data.format.header) == (";", ",", True)
    assert {name: feature.source_columns(name) for name, feature in data.features.items()} == {
        "Groesse_qm": ["Größe (qm)"],
        "Lage": ["Lage"],
        "Zimmer": ["Zimmer"],
    }
    assert data.features["Zimmer"].missing == "mean"
    assert data.features["Lage"].missing == "refuse"
    assert "% missing" in found.seen["Zimmer"]
    assert "3 values: " in found.seen["Lage"]
    assert found.left_out["Objekt-ID"].startswith("an identifier: 600 different texts")
    assert found.left_out["Verkauft am"].startswith("dates or times (e.g. ")
    assert found.left_out["Notiz"].startswith("free text: ")
    assert found.left_out["Währung"] == "constant: always EUR"
    assert data.label.kind == "number"
    for column, why in found.left_out.items():
        assert f"#   {column}: {why[:20]}" in found.text


def test_parquet_is_read_with_its_nulls_and_what_is_nested_is_left_out(look: Look, tmp_path: Path) -> None:
    found = look(own_data.events(tmp_path), "fraud")
    data = found.spec.data
    assert (data.format.kind, data.label.missing, data.split.kind) == ("parquet", "drop", "exact")
    assert data.features["Amount_EUR"].model_dump(exclude={"kind"}) == {"column": "Amount (EUR)", "missing": "mean"}
    assert set(data.features) == {"Amount_EUR", "online"}
    assert "2 values: " in found.seen["online"]
    assert found.left_out["when"].startswith("dates or times (2024-01-01T00:00:00 to 2024-")
    assert "seven digits which float32 holds" in found.left_out["account"]
    assert "nested column" in found.left_out["tags"]
    assert found.rows.dropped == 10


def test_a_file_without_header_has_columns_by_index(look: Look, tmp_path: Path) -> None:
    data = look(own_data.flowers_without_header(tmp_path), "3").spec.data
    assert data.format.header is False
    assert data.label.column == 3
    assert data.features["column_1"].column == 1


def test_names_that_no_feature_can_have_are_made_safe(look: Look, tmp_path: Path) -> None:
    data = look(own_data.letters(tmp_path), "class").spec.data
    assert data.format.separator == "\t"
    assert {name: feature.column for name, feature in data.features.items()} == {
        "what_it_says": "what\tit says",
        "column_1st_guess": "1st guess",
        "column_self": "self",
    }


def test_pixels_become_an_image_and_the_model_a_convolution(look: Look, tmp_path: Path) -> None:
    spec = look(own_data.digits(tmp_path), "digit").spec
    (image,) = spec.data.features.values()
    assert (image.kind, image.shape, image.scale) == ("image", (8, 8, 1), 16)
    assert (image.columns.first, image.columns.last) == (1, 64)
    assert spec.model.kind == "cnn"
    assert spec.data.label.kind == "class"


def test_pixels_that_make_no_square_are_numbers_and_it_is_said_how_to_write_an_image(look: Look) -> None:
    pixels = {f"p{number}": (lambda row, number=number: (row * number) % 200) for number in range(70)}
    found = look(table({**pixels, "y": lambda row: "ab"[row % 2]}))
    assert "image: {kind: image, columns: {first: 0, last: 69}" in " ".join(found.text.replace("#", "").split())
    assert found.spec.model.kind == "mlp"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (lambda row: row + 1000, "an identifier: whole numbers that count, 1000 to 1059, each once"),
        (lambda row: f"u-{row}", "an identifier: 60 different texts"),
        (lambda row: 7, "constant: always 7"),
        (lambda row: "same", "constant: always same"),
        (lambda row: "", "empty throughout"),
        (lambda row: 3 if row == 5 else "NA", "98 % of the cells are missing"),
        (lambda row: f"2024-01-{row % 28 + 1:02d}", "dates or times (2024-01-01 to 2024-01-28)"),
        (lambda row: f"202401{row % 28 + 1:02d}", "days written as numbers (20240101 to 20240128)"),
        (lambda row: f"{row} goes on and on", "free text: 60 different ones, e.g. 0 goes on and on"),
        (lambda row: "oops" if row == 7 else row * 31 % 60, "numbers but for oops"),
        (lambda row: f'"{row % 9 + 1},{row * 17 % 900 + 100}"', "numbers with other marks than the decimal point"),
        (lambda row: 1e6 + (row % 7) / 100, "differ only beyond the seven digits"),
        (lambda row: f"{row} %", "numbers with a unit beside them, e.g. 0 %, 1 %, 2 %: write the bare numbers"),
        (lambda row: f'"${row},499.00"', "numbers with a unit beside them"),
    ],
)
def test_a_column_that_no_model_can_learn_from_is_left_out_with_the_reason(look: Look, column: Any, why: str) -> None:
    found = look(table({"odd": column, **GOOD}))
    assert why in found.left_out["odd"]
    assert set(found.spec.data.features) == {"x"}
    assert len(found.rows) == 60


@pytest.mark.parametrize(
    ("column", "options", "seen"),
    [
        (lambda row: row % 3 + 1, {"kind": "number"}, "3 whole numbers, 1 to 3"),
        (lambda row: f"0{row % 5}", {"kind": "category"}, "5 values: 00, 01, 02, 03, ..."),
        (lambda row: "?" if row % 5 == 0 else row * 7 % 50, {"kind": "number", "missing": "mean"}, "20 % missing"),
        (lambda row: "none" if row % 4 == 0 else row * 7 % 50, {"kind": "number", "missing": "mean"}, "25 % missing"),
        (lambda row: "none" if row % 4 == 0 else "some", {"kind": "category"}, "2 values: some, none"),
        (
            lambda row: " " if row % 2 else "red",
            {"kind": "category", "missing": "category"},
            "1 value: red; 50 % missing",
        ),
        (lambda row: ["Red", "red", "blue"][row % 3], {"kind": "category"}, "Red and red are different ones"),
        (lambda row: row * 1000 + row * row % 700, {"kind": "number"}, "0 to 59681, mean "),
        (lambda row: f"{row}.5e3", {"kind": "number"}, "500 to 59500"),
        (lambda row: -999 if row % 9 == 0 else row / 4, {"kind": "number"}, "-999 (7 times) looks like missing"),
    ],
)
def test_a_column_that_says_something_is_a_feature_with_what_was_seen(
    look: Look, column: Any, options: dict[str, str], seen: str
) -> None:
    found = look(table({"thing": column, **GOOD}))
    feature = found.spec.data.features["thing"]
    assert feature.model_dump(include={"kind", "missing"}) == {"missing": "refuse", **options}
    assert seen in found.seen["thing"]
    assert len(found.rows) == 60


def test_a_word_that_means_missing_among_numbers_is_missing_among_texts_too(look: Look) -> None:
    words = {"n": lambda row: "none" if row % 4 == 0 else row * 7 % 50, "t": lambda row: ["none", "a", "b"][row % 3]}
    found = look(table({**words, **GOOD}))
    assert found.spec.data.format.nulls == ("", "none")
    assert found.spec.data.features["t"].missing == "category"
    assert "none is read as missing" in found.seen["t"]
    assert len(found.rows) == 60


@pytest.mark.parametrize(
    ("label", "kind", "seen"),
    [
        (lambda row: row % 2, "class", "2 classes: 0 (30), 1 (30)"),
        (lambda row: f"{row % 2}.0", "class", "2 classes"),
        (lambda row: row % 5, "class", "if they are amounts, write `kind: number`"),
        (lambda row: row * row, "number", "0 to 3481, mean 1170"),
        (lambda row: row % 13, "number", "0 to 12"),
        (lambda row: row / 8, "number", "0 to 7.375"),
        (lambda row: "aA"[row % 2], "class", "2 classes: a (30), A (30)"),
        (lambda row: "" if row % 10 == 0 else "ab"[row % 2], "class", "10 % missing, such rows are left out"),
        (lambda row: "unknown" if row % 10 == 0 else row / 7, "number", "10 % missing, such rows are left out"),
    ],
)
def test_a_label_is_a_class_or_a_number_by_its_values(look: Look, label: Any, kind: str, seen: str) -> None:
    found = look(table({"x": GOOD["x"], "y": label}))
    assert found.spec.data.label.kind == kind
    assert seen in found.proposal.label.seen
    assert len(found.rows) == found.proposal.rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,y\n1,2,x\n3,4,z\n5,6,x\n", "3 rows are too few to train a model, to stop its training and to judge it"),
        ("", "the file is empty"),
        ("a,b,y\n", "a header but no rows"),
        (table({**GOOD, "y": "x"}), "every label is x: a model needs at least two different ones"),
        (table({**GOOD, "y": 3.5}), "every label is 3.5"),
        (table({**GOOD, "y": ""}), "every label is missing"),
        (
            table({**GOOD, "y": lambda row: ["Yes", "No", "yes "][row % 3]}),
            "classes that differ only in their spelling: Yes (20 rows) and yes (20 rows); write each one alike",
        ),
        (table({**GOOD, "y": lambda row: f"row {row}"}), "60 different labels in 60 rows"),
        (table({**GOOD, "y": lambda row: f"2024-01-{row % 28 + 1:02d}"}), "the labels are dates or times"),
        (table({**GOOD, "y": lambda row: f"{row} €"}), "the labels are numbers but for 0 €, 1 €, 2 €"),
        (table({**GOOD, "y": lambda row: "oops" if row == 3 else row * 1.5}), "the labels are numbers but for oops"),
        (
            table({"id": lambda row: row, "y": GOOD["y"]}),
            "no column is left to learn from, beside the label (id: an id",
        ),
        (table({"y": GOOD["y"]}), "no column is left to learn from, beside the label (it is the only one)"),
        ("y,x\nblå,1\n".encode("latin-1") * 40, "save the file as UTF-8"),
        ("y;x\n1;2\n3\n" * 20, "received 1 cells, expected 2"),
        (b"PK\x03\x04\x14", "an Excel workbook (save it as CSV)"),
        (b"PAR1 and no more PAR1", "a damaged Parquet file"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_words_for_newcomers(
    look: Look, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        look(content)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (None, "which column shall the model predict? The columns are: size, Colour, y"),
        ("colour", "there is no such column; do you mean 'Colour'? The columns are: size, Colour, y"),
        ("price", "there is no such column. The columns are: size, Colour, y"),
        ("3", "there is no such column"),
    ],
)
def test_a_label_that_is_none_is_told_the_columns(look: Look, label: str | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        look(table({"size": GOOD["x"], "Colour": "red", "y": GOOD["y"]}), label=label)
    assert words in str(caught.value)


def test_blanks_round_a_name_need_not_be_typed(look: Look) -> None:
    rows = "".join(f"{'rb'[row % 3 > 0]}, {'uv'[row % 2]}, {'pq'[row % 5 > 2]}\n" for row in range(60))
    found = look(f"colour, place, y\n{rows}")
    assert found.spec.data.label.column == " y"
    assert len(found.rows) == 60


def test_a_file_without_header_says_that_its_columns_have_indexes(look: Look, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"The first line \(\d\.\d, .* setosa, \.\.\.\) looks like data .* from 0 to 3"
    ):
        look(own_data.flowers_without_header(tmp_path), "species")


def test_a_file_sorted_by_its_label_is_read_on_for_the_other_labels(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "ROWS", 1000)
    monkeypatch.setattr(survey, "CELLS", 1000)
    content = table({"x": GOOD["x"], "y": lambda row: "ab"[row // 2500]}, rows=5000)
    found = look(content)
    assert (found.proposal.survey.rows, found.proposal.survey.total) == (1024, 5000)
    assert found.proposal.label.seen == "2 classes: a (2,500), b (2,500)"
    assert "from the first 1,024 of 5,000 rows" in found.text


def test_the_rows_of_a_file_that_is_too_long_are_estimated(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROWS", "CELLS", "COUNTED"):
        monkeypatch.setattr(survey, name, 20_000)
    draw = random.Random(1)
    content = table({"x": lambda row: draw.random(), "y": lambda row: "ab"[row % 2]}, rows=100_000)
    for packed in (content.encode(), gzip.compress(content.encode())):
        found = look(packed)
        assert not found.proposal.survey.exact
        # A file of so few bytes is read ahead by a good part of itself.
        assert 60_000 < found.proposal.survey.total < 140_000
        assert "of about " in found.text


def test_large_data_are_split_by_hash_unless_a_class_is_rare(look: Look) -> None:
    columns = {"x": lambda row: row % 977, "y": lambda row: "ab"[row % 2]}
    assert look(table(columns, rows=50_000)).spec.data.split.kind == "hash"
    assert look(table(columns, rows=49_000)).spec.data.split.kind == "exact"
    rare = {**columns, "y": lambda row: "c" if row < 5 else "ab"[row % 2]}
    assert look(table(rare, rows=50_000)).spec.data.split.kind == "exact"


def test_an_imbalanced_label_is_bounded_in_f1(look: Look) -> None:
    rare = table({"x": GOOD["x"], "y": lambda row: "no" if row % 10 else "yes"}, rows=400)
    (bound,) = look(rare).spec.gate.require
    assert bound.metric == "macro_f1"
    (bound,) = look(table(GOOD, rows=400)).spec.gate.require
    assert (bound.metric, bound.at_least) == ("accuracy", 0.59)


def test_what_stands_in_the_data_never_leaves_its_comment(look: Look) -> None:
    evil = ['"a\nspec: 2"', '"\u2028x: y"', '"\x85{"', "#", '"' + "z" * 300 + '"']
    content = '"co\nl: #",x,"y"\n' + "".join(f"{evil[row % 5]},{row * 37 % 60},{'ab'[row % 2]}\n" for row in range(60))
    found = look(content)
    assert found.spec.data.features["co_l"].column == "co\nl: #"
    assert len(found.rows) == 60
