"""The examples artifact: typed rows of three splits as Arrow IPC shards, with their schema and statistics.

    schema.json  statistics.json
    train/00000.arrow ...  validation/...  test/...

Columns: `row` (hex id, unique), one per feature, `label` (text of a class, or float64). Rows lie in hash order, so that
any first part of a split is a random sample of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ferryman.data.split import SIDES
from ferryman.data.statistics import table_statistics
from ferryman.errors import ArtifactError

if TYPE_CHECKING:
    import pyarrow as pa

ROW, LABEL = "row", "label"
"""Columns beside those of the features."""

SCHEMA, STATISTICS = "schema.json", "statistics.json"

SHARD_BYTES: Final = 32 << 20
"""Size of a shard before its file's overhead (32 MiB): what a reader without memory mapping can hold at once."""


class Examples:
    """The examples below `path`, read lazily; tables are memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """`schema.json`: task, classes, features, label, format, split, source, rows_dropped."""
        return self._document(SCHEMA)

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """`statistics.json`: `all`, `train`, `validation`, `test`, each with `rows` and `columns`."""
        return self._document(STATISTICS)

    def rows(self, name: str) -> int:
        """How many rows the split `name` has."""
        self._check(name)
        return int(self.schema["split"]["sizes"][name])

    def split(self, name: str) -> pa.Table:
        """The rows of `train`, `validation` or `test`.

        Raises:
            ArtifactError: a shard is missing or not an Arrow file.
        """
        import pyarrow as pa

        self._check(name)
        tables, folder = [], self.path / name
        for shard in sorted(folder.glob("*.arrow")):
            try:
                with pa.memory_map(str(shard)) as memory:
                    tables.append(pa.ipc.open_file(memory).read_all())
            except (pa.ArrowInvalid, OSError) as error:
                raise ArtifactError(f"{shard}: not a readable Arrow file: {error}", str(shard)) from error
        if not tables:
            raise ArtifactError(f"{folder}: there are no shards (*.arrow): make the examples again", str(folder))
        return pa.concat_tables(tables)

    def _check(self, name: str) -> None:
        if name not in SIDES:
            raise ValueError(f"received the split {name!r}, expected one of {', '.join(SIDES)}")

    def _document(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path}: not readable: {error}", str(path)) from error
        if not isinstance(document, dict):
            raise ArtifactError(f"{path}: received a JSON {type(document).__name__}, expected an object", str(path))
        return document


class ExamplesWriter:
    """Writes the parts of an examples artifact into an empty folder; sealing it is the step's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_split(self, name: str, shards: Iterable[pa.Table]) -> int:
        """Write the rows of one split, a file a table; returns their number."""
        import pyarrow as pa

        (self.folder / name).mkdir(parents=True)
        rows = 0
        for number, shard in enumerate(shards):
            path = self.folder / name / f"{number:05d}.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, shard.schema) as writer:
                writer.write_table(shard.combine_chunks())
            rows += shard.num_rows
        return rows

    def write_schema(self, document: dict[str, Any]) -> None:
        """Write `schema.json`."""
        self._write(SCHEMA, document)

    def write_statistics(self) -> None:
        """Write `statistics.json` of the splits that were written."""
        import pyarrow as pa

        tables = {name: Examples(self.folder).split(name) for name in SIDES}
        everything = pa.concat_tables(tables.values())
        document = {name: table_statistics(table) for name, table in {"all": everything, **tables}.items()}
        self._write(STATISTICS, document)

    def _write(self, name: str, document: dict[str, Any]) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        (self.folder / name).write_text(f"{text}\n", encoding="utf-8")


def shard_rows(rows: int, size: int) -> int:
    """How many rows a shard holds when `rows` rows have `size` bytes."""
    return max(1, SHARD_BYTES * rows // max(size, 1))
