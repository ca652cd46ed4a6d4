"""The step `prepare`: raw data in, typed examples in three splits out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import step
from ferryman.data.examples import LABEL, ROW, ExamplesWriter, shard_rows
from ferryman.data.options import ExactSplit, HashSplit, PinnedSource
from ferryman.data.split import SIDES, exact_sides, hash_order, row_ids
from ferryman.data.table import Header
from ferryman.errors import DataError, SpecError
from ferryman.steps.prepare.rows import Reading, Rows, read_rows
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
        prepared = write_examples(data.source, reading, folder)
        run.headline = prepared.headline
        run.facts = {
            "source": data.source.model_dump(include={"name", "sha256"}),
            "sizes": prepared.sizes,
            "rows_dropped": prepared.dropped,
            "rows_repeated": prepared.repeated,
            "classes": prepared.classes,
            "split_rule": prepared.rule,
        }


def write_examples(source: PinnedSource, reading: Reading, folder: Path) -> Prepared:
    """Read, check and split a pinned source, and write its examples into `folder`."""
    with open_pinned(source) as stream:
        rows = read_rows(stream, source.name, reading)
    split, classes = reading.split, rows.classes(reading.label)
    digests = bytes(rows.digests)
    ids = row_ids(digests)
    order = hash_order(ids, split.seed)
    strata = rows.strata(classes)
    if split.kind == "exact":
        sides = exact_sides(order, strata, split, source.name)
    else:
        sides = np.frombuffer(bytes(rows.keyed_sides), dtype=np.uint8)
    _check_sides(sides, strata, classes, split, source.name)
    if classes is None:
        _check_numbers(np.frombuffer(rows.numbers, dtype=np.float64)[sides == SIDES.index("train")], source.name)
    table = _table(rows, ids, strata, classes)
    _check_columns(table, source.name)
    writer = ExamplesWriter(folder)
    sizes = {
        name: writer.write_split(name, _shards(table, order[sides[order] == side])) for side, name in enumerate(SIDES)
    }
    # An id is the digest itself for the first of equal rows, and another hash for the others.
    repeated = int((ids != np.frombuffer(digests, dtype=np.uint8).reshape(ids.shape)).any(axis=1).sum())
    prepared = Prepared(sizes, rows.dropped, repeated, classes, rows.header, reading.rule(rows.key))
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


def _check_sides(
    sides: np.ndarray, strata: np.ndarray, classes: list[str] | None, split: ExactSplit | HashSplit, source: str
) -> None:
    """Refuse an empty side, and a class that train never sees."""
    for side, name in enumerate(SIDES):
        if not (sides == side).any():
            raise DataError(
                f"none of the {len(sides)} rows falls on the side {name!r} (split: {split.kind}), expected at least "
                "one: more rows, a larger share or another seed help",
                source=source,
            )
    if classes is None:
        return
    if len(classes) < 2:
        raise DataError(f"all labels are {classes[0]!r}, expected at least two classes", source=source)
    everywhere = np.bincount(strata, minlength=len(classes))
    in_train = np.bincount(strata[sides == SIDES.index("train")], minlength=len(classes))
    for name, rows, train in zip(classes, everywhere.tolist(), in_train.tolist(), strict=True):
        if not train:
            raise DataError(
                f"no train row has the class {name!r} ({rows} in all the data): a model cannot learn it; give more "
                "rows of it, leave it out, or choose another seed",
                source=source,
            )


def _check_numbers(train: np.ndarray, source: str) -> None:
    """Refuse labels of which there is nothing to learn, also where the model's float32 is what makes them equal."""
    if not np.float32(train.std()) or len(np.unique(train.astype(np.float32))) < 2:
        raise DataError(
            f"all {len(train)} train labels are {train[0]:g} (as float32), expected at least two values", source=source
        )


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


def _table(rows: Rows, ids: np.ndarray, strata: np.ndarray, classes: list[str] | None) -> pa.Table:
    """The typed rows in the order of the file."""
    import pyarrow as pa

    content = ids.tobytes().hex()
    width = 2 * ids.shape[1]
    columns: dict[str, Any] = {ROW: [content[start : start + width] for start in range(0, len(content), width)]}
    for name in rows.chunks[0]:
        columns[name] = pa.chunked_array([chunk[name] for chunk in rows.chunks])
    if classes is None:
        columns[LABEL] = pa.array(np.frombuffer(rows.numbers, dtype=np.float64))
    else:
        columns[LABEL] = pa.array(np.array(classes, dtype=object)[strata], type=pa.string())
    return pa.table(columns)


def _shards(table: pa.Table, chosen: np.ndarray) -> Iterator[pa.Table]:
    size = shard_rows(table.num_rows, table.nbytes)
    for start in range(0, len(chosen), size):
        yield table.take(chosen[start : start + size])
