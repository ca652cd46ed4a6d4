from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ferryman.data.examples import SHARD_BYTES, Examples, ExamplesWriter, shard_rows
from ferryman.errors import ArtifactError

SIZES = {"train": 5, "validation": 2, "test": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = ExamplesWriter(tmp_path)
    for offset, (name, rows) in enumerate(SIZES.items()):
        table = pa.table({"row": [f"{name}{row}" for row in range(rows)], "label": [float(offset)] * rows})
        writer.write_split(name, (table.slice(start, 2) for start in range(0, rows, 2)))
    writer.write_schema({"split": {"sizes": SIZES}})
    writer.write_statistics()
    return tmp_path


def test_splits_are_read_in_the_order_in_which_they_were_written(folder: Path) -> None:
    examples = Examples(folder)
    assert sorted(path.name for path in (folder / "train").iterdir()) == ["00000.arrow", "00001.arrow", "00002.arrow"]
    for offset, (name, rows) in enumerate(SIZES.items()):
        table = examples.split(name)
        assert table.column("row").to_pylist() == [f"{name}{row}" for row in range(rows)]
        assert table.column("label").to_pylist() == [float(offset)] * rows
        assert examples.rows(name) == rows


def test_a_split_is_not_copied_into_memory(folder: Path) -> None:
    before = pa.total_allocated_bytes()
    table = Examples(folder).split("train")
    assert table.num_rows == 5
    assert pa.total_allocated_bytes() == before


def test_statistics_are_kept_of_all_rows_and_of_each_split(folder: Path) -> None:
    statistics = Examples(folder).statistics
    assert {name: part["rows"] for name, part in statistics.items()} == {"all": 8, **SIZES}
    assert statistics["all"]["columns"]["label"]["mean"] == 0.5
    assert statistics["test"]["columns"]["label"]["mean"] == 2.0


def test_a_torn_shard_is_named(folder: Path) -> None:
    shard = folder / "train" / "00001.arrow"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=r"train/00001\.arrow: not a readable Arrow file") as caught:
        Examples(folder).split("train")
    assert caught.value.file == str(shard)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    for shard in (folder / "test").iterdir():
        shard.unlink()
    with pytest.raises(ArtifactError, match=r"test: there are no shards"):
        Examples(folder).split("test")
    (folder / "schema.json").write_text("[1]")
    with pytest.raises(ArtifactError, match=r"schema\.json: received a JSON list"):
        _ = Examples(folder).schema
    with pytest.raises(ArtifactError, match=r"schema\.json: not readable"):
        _ = Examples(tmp_path / "nowhere").schema


def test_an_unknown_split_is_a_bug_of_the_caller(folder: Path) -> None:
    with pytest.raises(ValueError, match="'dev', expected one of train, validation, test"):
        Examples(folder).split("dev")


def test_shards_have_a_size_in_bytes_whatever_a_row_weighs() -> None:
    assert shard_rows(1000, 4 * SHARD_BYTES) == 250
    assert shard_rows(10, 1000 * SHARD_BYTES) == 1
    assert shard_rows(0, 0) >= 1
