"""The step `prepare`: raw data in, typed examples in three splits out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import step
from ferryman.data.examples import LABEL, ROW, ExamplesWriter, shard_rows
from ferryman.data.options import PinnedSource
from ferryman.data.split import SIDES
from ferryman.data.table import Header
from ferryman.errors import DataError, SpecError
from ferryman.steps.prepare.rows import Reading, Rows, read_rows
from ferryman.steps.prepare.sides import Divided, check_numbers, check_sides, divide
from ferryman.storage.inputs import open_pinned

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Prepared:
    """What came out: rows by split, rows left out, class names in order (None for numbers)."""

    sizes: dict[str, int]
    dropped: int
    repeated: int
    """Rows whose text stood in the file before; `exact` may put equal rows on different sides, `hash` never does."""

    classes: list[str] | None
    header: Header | None
    rule: str
    """SHA-256 of all that decides a row's side, beside the source's bytes."""

    @property
    def headline(self) -> str:
        """One line for people."""
        parts = ", ".join(f"{self.sizes[side]:,} {side}" for side in SIDES)
        left_out = f"; {self.dropped:,} without a label left out" if self.dropped else ""
        return f"{sum(self.sizes.values()):,} rows: {parts}{left_out}"


def prepare_examples(resolved: str, root: str, run_id: str, job: str, examples: str) -> None:
    """Write the artifact `examples` from the pinned source of the resolved run.

    Raises:
        SpecError: the source is not pinned.
        ArtifactError: the pinned bytes are missing or altered.
        DataError: the data are not what the spec says; it names source, line and column, and nothing is left behind.
    """
    with step("prepare", root, run_id, job) as run:
        data = ResolvedRun.parse(resolved).read_spec().data
        if not isinstance(data.source, PinnedSource):
            raise SpecError("data.source", f"received {data.source!r}, expected a pinned source (uri and sha256)")
        folder = run.output(Path(examples), kind="examples")
        reading = Reading(data.format, data.features, data.label, data.split)
        prepared = write_examples(data.source, reading, folder, lambda rows: run.progress.leave(rows=rows))
        run.headline = prepared.headline
        run.facts = {
            "source": data.source.model_dump(include={"name", "sha256"}),
            "sizes": prepared.sizes,
            "rows_dropped": prepared.dropped,
            "rows_repeated": prepared.repeated,
            "classes": prepared.classes,
            "split_rule": prepared.rule,
        }


def write_examples(
    source: PinnedSource, reading: Reading, folder: Path, told: Callable[[int], None] = lambda rows: None
) -> Prepared:
    """Read, check and split a pinned source, and write its examples into `folder`; `told` hears of the rows read so far."""
    with open_pinned(source) as stream:
        rows = read_rows(stream, source.name, reading, told)
    divided = divide(rows, reading, source.name)
    check_sides(divided, reading.split, source.name)
    if divided.classes is None:
        check_numbers(divided.train_numbers(rows), source.name)
    return write_sides(rows, divided, source, reading, folder)


def write_sides(
    rows: Rows, divided: Divided, source: PinnedSource, reading: Reading, folder: Path, limit: int | None = None
) -> Prepared:
    """Write the rows of each side into `folder`, at most `limit` of a side: a random sample, as they lie in hash order."""
    table = _table(rows, divided)
    _check_columns(table, source.name)
    writer = ExamplesWriter(folder)
    sizes = {name: writer.write_split(name, _shards(table, divided.rows_of(name)[:limit])) for name in SIDES}
    prepared = Prepared(sizes, rows.dropped, divided.repeated, divided.classes, rows.header, reading.rule(rows.key))
    writer.write_schema(_schema(source, reading, table, prepared))
    writer.write_statistics()
    return prepared


def _schema(source: PinnedSource, reading: Reading, table: pa.Table, prepared: Prepared) -> dict[str, Any]:
    split, header = reading.split, prepared.header
    return {
        "schema_version": 1,
        "task": reading.label.kind,
        "classes": prepared.classes,
        "features": {
            name: {"options": feature.model_dump(mode="json"), "type": str(table.schema.field(name).type)}
            for name, feature in reading.features.items()
        },
        "label": reading.label.model_dump(mode="json"),
        "format": reading.format.model_dump(mode="json"),
        "columns": list(header.names) if header and header.names else None,
        "width": header.width if header else 0,
        "split": {**split.model_dump(mode="json"), "rule": prepared.rule, "sizes": prepared.sizes},
        "source": {"name": source.name, "sha256": source.sha256},
        "rows_dropped": prepared.dropped,
        "rows_repeated": prepared.repeated,
    }


def _check_columns(table: pa.Table, source: str) -> None:
    """Refuse a column of different numbers that float32, the type of server and device, cannot tell apart."""
    for name in table.column_names:
        if str(table.schema.field(name).type) != "double" or name == LABEL:
            continue
        values = table.column(name).drop_null().to_numpy()
        if len(values) and values.min() < values.max() and np.float32(values.min()) == np.float32(values.max()):
            raise DataError(
                f"feature {name!r}: all numbers from {values.min():.17g} to {values.max():.17g} are one number in "
                "float32, the type of server and device: subtract an offset in the data, or leave the feature out",
                source=source,
            )


def _table(rows: Rows, divided: Divided) -> pa.Table:
    """The typed rows in the order of the file."""
    import pyarrow as pa

    content = divided.ids.tobytes().hex()
    width = 2 * divided.ids.shape[1]
    columns: dict[str, Any] = {ROW: [content[start : start + width] for start in range(0, len(content), width)]}
    for name in rows.chunks[0]:
        columns[name] = pa.chunked_array([chunk[name] for chunk in rows.chunks])
    if divided.classes is None:
        columns[LABEL] = pa.array(np.frombuffer(rows.numbers, dtype=np.float64))
    else:
        columns[LABEL] = pa.array(np.array(divided.classes, dtype=object)[divided.strata], type=pa.string())
    return pa.table(columns)


def _shards(table: pa.Table, chosen: np.ndarray) -> Iterator[pa.Table]:
    size = shard_rows(table.num_rows, table.nbytes)
    for start in range(0, len(chosen), size):
        yield table.take(chosen[start : start + size])
