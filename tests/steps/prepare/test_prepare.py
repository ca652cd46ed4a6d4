from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferryman.artifacts.manifest import verify
from ferryman.artifacts.run_store import RunStore
from ferryman.data.examples import Examples
from ferryman.errors import ArtifactError, DataError, SpecError

Lines = Callable[..., list[str]]
Step = Any

SIDES = ("train", "validation", "test")


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def rows(examples: Examples, side: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = examples.split(side).to_pylist()
    return found


def all_rows(examples: Examples) -> list[dict[str, Any]]:
    return [row for side in SIDES for row in rows(examples, side)]


def refusal(prepare: Step, content: str | bytes, **blocks: Any) -> DataError:
    """The error of data that must be refused; nothing half written is left, and the record knows why."""
    with pytest.raises(DataError) as caught:
        prepare(content, **blocks)
    error = caught.value
    assert error.source == "garden.csv"
    assert error.exit_code == 4
    assert "\n" not in str(error)
    assert not prepare.artifact.exists()
    fragment = prepare.fragment()
    assert (fragment["state"], fragment["error"]["kind"]) == ("failed", "DataError")
    assert fragment["error"]["text"] == str(error)
    return error


def test_rows_become_typed_columns_in_three_sealed_splits(prepare: Step, garden: Lines) -> None:
    examples = prepare(text(garden()))
    assert verify(prepare.artifact, "examples").producer == "ferryman prepare"
    assert {side: examples.rows(side) for side in SIDES} == {"train": 10, "validation": 4, "test": 6}
    assert examples.split("test").schema.equals(
        pa.schema([("row", pa.string()), ("size", pa.float64()), ("colour", pa.string()), ("label", pa.string())])
    )
    found = {(row["size"], row["colour"], row["label"]) for row in all_rows(examples)}
    assert found == {
        (number / 4, "red" if number % 3 else None, "fern" if number < 12 else "moss") for number in range(20)
    }
    assert len({row["row"] for row in all_rows(examples)}) == 20


def test_each_class_is_shared_out_alike(prepare: Step, garden: Lines) -> None:
    examples = prepare(text(garden()))
    counts = {side: Counter(row["label"] for row in rows(examples, side)) for side in SIDES}
    assert counts["test"] == {"fern": 4, "moss": 2}
    assert counts["validation"] == {"fern": 2, "moss": 2}


def test_the_schema_says_how_the_examples_came_about(prepare: Step, garden: Lines) -> None:
    schema = prepare(text(garden())).schema
    assert schema["task"] == "class"
    assert schema["classes"] == ["fern", "moss"]
    assert {name: entry["type"] for name, entry in schema["features"].items()} == {"size": "double", "colour": "string"}
    assert schema["features"]["colour"]["options"]["column"] == "color"
    assert schema["split"]["sizes"] == {"train": 10, "validation": 4, "test": 6}
    assert schema["split"]["seed"] == 5
    assert len(schema["split"]["rule"]) == 64
    assert schema["source"]["name"] == "garden.csv"
    assert len(schema["source"]["sha256"]) == 64


def test_the_record_gets_one_line_and_the_facts(prepare: Step, garden: Lines) -> None:
    lines = garden()
    prepare(text([*lines, lines[1], "7,red,NA"]), label={"kind": "class", "column": "plant", "missing": "drop"})
    fragment = prepare.fragment()
    assert fragment["headline"] == "21 rows: 11 train, 4 validation, 6 test; 1 without a label left out"
    assert fragment["facts"]["rows_dropped"] == 1
    assert fragment["facts"]["rows_repeated"] == 1
    assert fragment["facts"]["classes"] == ["fern", "moss"]


def test_the_rows_read_so_far_can_be_seen_from_outside(
    prepare: Step, garden: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferryman.artifacts.progress.SELDOM", 0.0)
    prepare("\n".join(garden()))
    found = RunStore(tmp_path / "runs").run("r1").progress("prepare")
    assert found is not None
    assert (found.rows, found.epochs) == (20, 0)


def test_the_order_of_the_file_does_not_reach_the_examples(prepare: Step, garden: Lines, tmp_path: Path) -> None:
    header, *lines = garden()
    lines += lines[:3]
    first = {side: rows(prepare(text([header, *lines])), side) for side in SIDES}
    random.Random(2).shuffle(lines)
    second = {side: rows(prepare(text([header, *lines])), side) for side in SIDES}
    assert first == second
    assert [row["label"] for row in first["train"]] != sorted(row["label"] for row in first["train"])


def test_the_same_source_gives_the_same_bytes(prepare: Step, garden: Lines) -> None:
    content = text(garden())
    prepare(content)
    first = verify(prepare.artifact, "examples").digest
    prepare(content)
    assert verify(prepare.artifact, "examples").digest == first


def test_a_hash_split_keeps_every_row_on_its_side_as_the_data_grow(prepare: Step, garden: Lines) -> None:
    split = {"kind": "hash", "validation": 0.2, "test": 0.3, "seed": 5}

    def sides(lines: list[str]) -> dict[str, str]:
        examples = prepare(text(lines), split=split)
        return {row["row"]: side for side in SIDES for row in rows(examples, side)}

    few, many = sides(garden(40, 40)), sides(garden(40, 400))
    assert len(many) == 440
    assert many.items() >= few.items()


def test_a_row_that_was_extended_may_fall_elsewhere_so_its_split_has_another_rule(prepare: Step, garden: Lines) -> None:
    split = {"kind": "hash", "validation": 0.2, "test": 0.3}
    lines = garden(40, 40)
    wider = [f"{line},{'note' if number == 0 else 'x'}" for number, line in enumerate(lines)]
    rules = [prepare(text(each), split=split).schema["split"]["rule"] for each in (lines, wider, lines)]
    assert rules[0] == rules[2] != rules[1]
    keyed = {**split, "key": ["size"]}
    assert len({prepare(text(each), split=keyed).schema["split"]["rule"] for each in (lines, wider)}) == 1


@pytest.mark.parametrize("value", ["0.1", "7", "1e-46"])
def test_labels_that_are_all_one_number_are_refused(prepare: Step, value: str) -> None:
    lines = [f"{number},red,{value}" for number in range(40)]
    label = {"kind": "number", "column": "plant"}
    assert "expected at least two values" in str(refusal(prepare, text(["size,color,plant", *lines]), label=label))


def test_numbers_that_float32_cannot_tell_apart_are_refused(prepare: Step) -> None:
    lines = [f"{1_763_000_000 + number},red,{'fern' if number % 3 else 'moss'}" for number in range(60)]
    said = str(refusal(prepare, text(["size,color,plant", *lines])))
    assert "feature 'size': all numbers from 1763000000 to 1763000059 are one number in float32" in said
    apart = [f"{1_763_000_000 + 1000 * number},red,{'fern' if number % 3 else 'moss'}" for number in range(60)]
    prepare(text(["size,color,plant", *apart]))


def test_rows_with_one_key_stay_together(prepare: Step) -> None:
    split = {"kind": "hash", "validation": 0.2, "test": 0.3, "key": ["size"]}
    lines = [f"{number % 30},red,{'fern' if number % 7 else 'moss'}" for number in range(300)]
    examples = prepare(text(["size,color,plant", *lines]), split=split)
    by_side = [{row["size"] for row in rows(examples, side)} for side in SIDES]
    assert sum(map(len, by_side)) == 30


def test_a_number_is_learned_without_classes(prepare: Step) -> None:
    content = text(["size,color,weight", *(f"{number},red,{number * 100}.5" for number in range(20)), "3,red,NA"])
    label = {"kind": "number", "column": "weight", "missing": "drop"}
    examples = prepare(content, label=label)
    assert examples.schema["classes"] is None
    assert examples.schema["rows_dropped"] == 1
    assert examples.split("train").schema.field("label").type == pa.float64()
    assert all(row["label"] == row["size"] * 100 + 0.5 for row in all_rows(examples))


def test_a_row_without_label_may_hold_anything_else_that_is_missing(prepare: Step, garden: Lines) -> None:
    strict = {"size": {"kind": "number"}}
    drop = {"kind": "class", "column": "plant", "missing": "drop"}
    lines = [*garden(), "NA,NA,NA"]
    assert prepare(text(lines), features=strict, label=drop).schema["rows_dropped"] == 1
    lines += ["NA,red,moss"]
    error = refusal(prepare, text(lines), features=strict, label=drop)
    # The row that was left out before still counts as a line.
    assert (error.line, error.column) == (23, "size")


def test_images_are_read_from_a_compressed_file_without_a_header(prepare: Step) -> None:
    lines = [",".join(str((row * 7 + cell) % 256) for cell in range(6)) + f",{row % 3}" for row in range(30)]
    examples = prepare(
        gzip.compress(text(lines).encode(), mtime=0),
        format={"kind": "csv", "header": False},
        features={"image": {"kind": "image", "columns": {"first": 0, "last": 5}, "shape": [2, 3, 1]}},
        label={"kind": "class", "column": 6},
    )
    assert examples.split("train").schema.field("image").type == pa.binary(6)
    found = {(row["image"], row["label"]) for row in all_rows(examples)}
    assert found == {(bytes((row * 7 + cell) % 256 for cell in range(6)), str(row % 3)) for row in range(30)}


def test_classes_that_are_numbers_are_in_the_order_of_their_values(prepare: Step, garden: Lines) -> None:
    lines = [line.replace("fern", "10").replace("moss", "9") for line in garden()]
    assert prepare(text(lines)).schema["classes"] == ["9", "10"]


@pytest.mark.parametrize(
    ("bad", "column", "words"),
    [
        ("one,red,fern", "size", "feature 'size': received 'one', expected a finite number"),
        ("1e39,red,fern", "size", "feature 'size': received '1e39'"),
        ("1,red,NA", "plant", "the label is missing (say `missing: drop`"),
        ("1,red,weed", "plant", "received the label 'weed', expected one of 'fern', 'moss'"),
        ("1,red", None, "received 2 cells, expected 3 as in the header"),
        ("1,red,fern,", None, "received 4 cells, expected 3 as in the header"),
        ('1,"red,fern', None, "a quote opens in this row and does not close"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_column(
    prepare: Step, garden: Lines, bad: str, column: str | None, words: str
) -> None:
    # The bad row lies in the second batch, after a row of two lines.
    lines = [*garden(600, 600), '1,"red\nor blue",fern', bad, *garden()[1:]]
    label = {"kind": "class", "column": "plant", "classes": ["fern", "moss"]}
    error = refusal(prepare, text(lines), label=label)
    assert (error.line, error.column) == (1204, column)
    assert words in str(error)


def test_a_cell_that_may_not_be_missing_is_refused(prepare: Step, garden: Lines) -> None:
    error = refusal(prepare, text(garden()), features={"color": {"kind": "category"}})
    assert str(error).startswith(
        "garden.csv, line 2, column 'color': feature 'color': received a missing cell, expected"
    )


def test_the_pixel_that_is_none_is_named_by_its_own_column(prepare: Step) -> None:
    lines = [f"{row},0,1,{row % 2}" for row in range(9)] + ["1,2,256,0"]
    image = {"image": {"kind": "image", "columns": {"first": 1, "last": 2}, "shape": [1, 2, 1]}}
    blocks = {"format": {"kind": "csv", "header": False}, "features": image, "label": {"kind": "class", "column": 3}}
    error = refusal(prepare, text(lines), **blocks)
    assert (error.line, error.column) == (10, 2)
    assert "received '256'" in str(error)


def test_a_header_that_the_format_denies_is_guessed(prepare: Step, garden: Lines) -> None:
    blocks = {
        "format": {"kind": "csv", "header": False},
        "features": {"size": {"kind": "number", "column": 0}},
        "label": {"kind": "class", "column": 2},
    }
    error = refusal(prepare, text(garden()), **blocks)
    assert (error.line, error.column) == (1, 0)
    assert "say `header: true`" in str(error)


@pytest.mark.parametrize(
    ("block", "value", "words"),
    [
        ("features", {"sise": {"kind": "number"}}, "feature 'sise': there is no column 'sise' (do you mean 'size'?)"),
        ("features", {"plant": {"kind": "category", "column": 2}}, "feature 'plant' reads the label's own column"),
        ("label", {"kind": "class", "column": "Plant"}, "label: there is no column 'Plant' (do you mean 'plant'?)"),
        ("label", {"kind": "class", "column": 3}, "label: there is no column 3, expected 0 to 2"),
        ("split", {"kind": "hash", "key": ["id"]}, "split.key: there is no column 'id'"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused(
    prepare: Step, garden: Lines, block: str, value: dict[str, Any], words: str
) -> None:
    assert words in str(refusal(prepare, text(garden()), **{block: value}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"size,color,plant\n", "a header but no rows"),
        (b"size,color,plant\n1,red,fern\n\x89\xfe\xff\x00\n", "not UTF-8"),
        (bytes(random.Random(1).randbytes(5000)), "garden.csv, line 1"),
        (
            gzip.compress(text(["size,color,plant", *map("{0},red,fern".format, range(5000))]).encode(), mtime=0)[
                :-500
            ],
            "cut off",
        ),
        ("size,color,plant\n1,blå,fern\n".encode("latin-1"), "save the file as UTF-8"),
        (b"size,color,plant\n1,red,fern\n2,red,moss\n", "2 rows are too few"),
        (text(["size,color,plant", *["1,red,fern"] * 20]).encode(), "all labels are 'fern', expected at least two"),
    ],
    ids=["empty", "header only", "binary row", "binary file", "cut gzip", "latin-1", "too few rows", "one class"],
)
def test_a_source_that_is_no_table_is_refused(prepare: Step, content: bytes, words: str) -> None:
    assert words in str(refusal(prepare, content))


def test_data_of_which_no_row_has_a_label_are_refused(prepare: Step) -> None:
    label = {"kind": "class", "column": "plant", "missing": "drop"}
    error = refusal(prepare, text(["size,color,plant", "1,red,NA", "2,red,"]), label=label)
    assert "none of the 2 rows has a label" in str(error)


def test_a_class_that_train_never_sees_is_refused(prepare: Step, garden: Lines) -> None:
    label = {"kind": "class", "column": "plant", "classes": ["fern", "moss", "weed"]}
    assert "no train row has the class 'weed' (0 in all" in str(refusal(prepare, text(garden()), label=label))
    # The key keeps all rows of a class together, so one of the many classes falls on the test side.
    lines = [f"1,red,plant{number % 12}" for number in range(120)]
    split = {"kind": "hash", "validation": 0.2, "test": 0.4, "key": ["plant"]}
    assert "(10 in all the data)" in str(refusal(prepare, text(["size,color,plant", *lines]), split=split))


def test_a_side_without_rows_is_refused(prepare: Step, garden: Lines) -> None:
    split = {"kind": "hash", "validation": 0.2, "test": 0.3, "key": ["color"]}
    error = refusal(prepare, text(garden()), split=split)
    assert "falls on the side" in str(error)


def test_altered_input_is_no_fault_of_the_data(prepare: Step, garden: Lines) -> None:
    source = prepare.folder / "garden.csv"
    source.write_text(text(garden()))
    resolved = prepare.resolved(source)
    (stored,) = (prepare.folder / "home" / "inputs" / "sha256").iterdir()
    stored.write_bytes(stored.read_bytes().replace(b"red", b"rod"))
    with pytest.raises(ArtifactError, match=r"garden\.csv: its copy .* is altered"):
        prepare.run(resolved)
    assert not prepare.artifact.exists()


def test_a_source_that_is_not_pinned_is_refused(prepare: Step, garden: Lines) -> None:
    source = prepare.folder / "garden.csv"
    source.write_text(text(garden()))
    resolved = prepare.resolved(source)
    start = resolved.index('"source":{')
    end = resolved.index("}", start) + 1
    with pytest.raises(SpecError, match=r"data\.source: received 'garden\.csv', expected a pinned source"):
        prepare.run(resolved[:start] + '"source":"garden.csv"' + resolved[end:])


def test_a_feature_cannot_take_the_name_of_the_ids(prepare: Step) -> None:
    content = text(["row,plant", *(f"{number},{'fern' if number % 2 else 'moss'}" for number in range(20))])
    with pytest.raises(SpecError, match=r"data\.features\.row"):
        prepare(content, features={"row": {"kind": "number"}}, label={"kind": "class", "column": "plant"})


def test_a_failure_leaves_no_examples_of_an_earlier_attempt(prepare: Step, garden: Lines) -> None:
    prepare(text(garden()))
    assert prepare.artifact.is_dir()
    refusal(prepare, text([*garden(), "one,red,fern"]))


def test_the_step_needs_no_tensorflow() -> None:
    code = (
        "import sys, ferryman.features, ferryman.steps.prepare.prepare; print({'tensorflow', 'kfp'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


COMMA = {"kind": "csv", "separator": ";", "decimal": ","}


def test_decimal_commas_are_numbers_and_stay_text_elsewhere(prepare: Step) -> None:
    lines = [f"{number},25;{number},5;{number * 2},75" for number in range(20)]
    features = {"size": {"kind": "number"}, "code": {"kind": "category"}}
    label = {"kind": "number", "column": "weight"}
    examples = prepare(text(["size;code;weight", *lines]), format=COMMA, features=features, label=label)
    found = {(row["size"], row["code"], row["label"]) for row in all_rows(examples)}
    assert found == {(number + 0.25, f"{number},5", number * 2 + 0.75) for number in range(20)}


@pytest.mark.parametrize(("cell", "column"), [("1.234,5;2", "size"), ("3.14;2", "size"), ("3,14;1.234", "weight")])
def test_a_thousands_separator_is_refused_in_features_and_label(prepare: Step, cell: str, column: str) -> None:
    label = {"kind": "number", "column": "weight"}
    content = text(["size;weight", *["1,5;2,5"] * 20, cell])
    error = refusal(prepare, content, format=COMMA, features={"size": {"kind": "number"}}, label=label)
    assert (error.line, error.column) == (22, column)
    assert "thousands separators are not read" in str(error)
    assert repr(cell.split(";")[0 if column == "size" else 1]) in str(error)


def parquet(lines: list[str]) -> bytes:
    """The rows of a CSV text as Parquet: the first column as numbers, NA as null."""
    names, *rows = [line.split(",") for line in lines]
    columns: dict[str, Any] = {
        name: [None if row[place] == "NA" else row[place] for row in rows] for place, name in enumerate(names)
    }
    columns[names[0]] = pa.array([float(cell) for cell in columns[names[0]]])
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content, row_group_size=7)
    return content.getvalue()


PARQUET = {"kind": "parquet"}


@pytest.mark.parametrize("split", [{"kind": "exact", "seed": 5}, {"kind": "hash", "validation": 0.2, "test": 0.3}])
def test_the_same_rows_as_parquet_have_the_same_ids_on_the_same_sides(
    prepare: Step, garden: Lines, split: dict[str, Any]
) -> None:
    lines = garden(60, 50)
    as_csv = {
        side: rows(prepare(text([line.replace("NA", "") for line in lines]), split=split, format={}), side)
        for side in SIDES
    }
    rule = Examples(prepare.artifact).schema["split"]["rule"]
    as_parquet = {side: rows(prepare(parquet(lines), split=split, format=PARQUET), side) for side in SIDES}
    assert as_parquet == as_csv
    assert any(row["colour"] is None for row in as_csv["train"])
    assert Examples(prepare.artifact).schema["split"]["rule"] == rule


def test_a_bad_cell_of_a_parquet_source_is_named_by_row_and_column(prepare: Step, garden: Lines) -> None:
    strict = {"color": {"kind": "category"}}
    error = refusal(prepare, parquet(garden(9)), format=PARQUET, features=strict)
    assert (error.row, error.line, error.column) == (1, None, "color")
    assert str(error).startswith("garden.csv, row 1, column 'color': feature 'color': received a missing cell")


def test_a_source_of_another_format_than_the_spec_says_is_told_the_right_one(prepare: Step, garden: Lines) -> None:
    assert "say `kind: parquet`" in str(refusal(prepare, parquet(garden())))
    assert "say `kind: csv`" in str(refusal(prepare, text(garden()), format=PARQUET))
