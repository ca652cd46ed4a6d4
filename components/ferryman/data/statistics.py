"""What the columns of the examples hold, in numbers that do not depend on the machine or the order of the rows."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

TOP: Final = 20
"""How many of the most frequent texts are listed."""


def column_statistics(column: pa.ChunkedArray) -> dict[str, Any]:
    """JSON numbers of one column: `rows`, `missing`, and by type

    numbers: `min`, `max`, `mean`, `std` (of the population), null where nothing is known;
    fixed-size bytes (images): the same over all bytes, which are read as 0..255;
    text: `distinct` and `top`, the most frequent as [text, rows].
    """
    import pyarrow as pa

    document: dict[str, Any] = {"rows": len(column), "missing": column.null_count}
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return document | _of_numbers(column)
    if pa.types.is_fixed_size_binary(column.type):
        return document | _of_bytes(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return document | _of_texts(column)
    return document


def table_statistics(table: pa.Table) -> dict[str, Any]:
    """`rows` and `columns`: the statistics of each column except the rows' ids."""
    columns = {name: column_statistics(table.column(name)) for name in table.column_names if name != "row"}
    return {"rows": table.num_rows, "columns": columns}


def _of_numbers(column: pa.ChunkedArray) -> dict[str, Any]:
    known = column.drop_null().to_numpy().astype(np.float64)
    if not len(known):
        return {"min": None, "max": None, "mean": None, "std": None}
    # fsum rounds once, whatever the order: the same numbers on every machine.
    mean = math.fsum(known.tolist()) / len(known)
    deviation = math.sqrt(math.fsum(np.square(known - mean).tolist()) / len(known))
    return {"min": float(known.min()), "max": float(known.max()), "mean": mean, "std": deviation}


def _of_bytes(column: pa.ChunkedArray) -> dict[str, Any]:
    counts = np.zeros(256, dtype=np.int64)
    for chunk in column.drop_null().chunks:
        # One row's bytes after the other; to_pylist copies, but one chunk at a time.
        counts += np.bincount(np.frombuffer(b"".join(chunk.to_pylist()), dtype=np.uint8), minlength=256)
    total = int(counts.sum())
    if not total:
        return {"min": None, "max": None, "mean": None, "std": None}
    values = np.arange(256, dtype=np.int64)
    present = np.flatnonzero(counts)
    mean = int(counts @ values) / total
    # Whole numbers up to here, so that no rounding can make a variance negative.
    variance = max(int(counts @ (values * values)) / total - mean * mean, 0.0)
    return {"min": int(present[0]), "max": int(present[-1]), "mean": mean, "std": math.sqrt(variance)}


def _of_texts(column: pa.ChunkedArray) -> dict[str, Any]:
    counts = Counter(column.drop_null().to_pylist())
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return {"distinct": len(counts), "top": [[text, rows] for text, rows in ordered[:TOP]]}
