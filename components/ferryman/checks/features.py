"""What the columns hold that no model can use, or that it should not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ferryman.checks.finding import Finding, warning
from ferryman.checks.ground import Ground, given
from ferryman.checks.scan import Scanned
from ferryman.data.statistics import column_statistics
from ferryman.features import CategoryOptions, ImageOptions, NumberOptions

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST: Final = 20
"""Rows below which nothing is said of a column: anything can be chance."""

IDENTIFIER: Final = 0.9
"""Share of different names among the rows from which on a category looks like a name of the row."""

MANY_NAMES: Final = 100
"""Names from which on a category needs many rows for each."""

ROWS_A_NAME: Final = 5
"""Rows that a name needs, on average, to teach anything; a convention, as for any other estimated number."""

EXTREME: Final = 1e6
"""Times the 95th percentile of |value - median| from which on a number is no measurement of the same thing."""


def check_features(ground: Ground) -> Iterator[Finding]:
    """Each feature on its own."""
    found = given(ground.scan)
    columns = found.features()
    for name, column in columns.items():
        options, where = ground.reading.features[name], f"data.features.{name}"
        if len(column) < FEWEST:
            continue
        numbers = column_statistics(column)
        if numbers["missing"] == len(column):
            yield warning(where, f"all {len(column):,} values are missing: there is nothing to learn", "leave it out")
        elif isinstance(options, NumberOptions):
            yield from _number(where, column, numbers, found)
        elif isinstance(options, CategoryOptions):
            yield from _category(where, options, numbers)
        elif isinstance(options, ImageOptions):
            yield from _image(where, options, numbers)
    ground.headline = f"{len(columns)} features over {len(found.rows):,} rows"


def _number(where: str, column: pa.ChunkedArray, numbers: dict[str, Any], found: Scanned) -> Iterator[Finding]:
    known = column.drop_null().to_numpy()
    if numbers["min"] == numbers["max"]:
        yield warning(where, f"every value is {numbers['min']:g}: there is nothing to learn", "leave it out")
        return
    if len(known) == len(column) and (np.diff(known) > 0).all() and (known % 1 == 0).all():
        text = f"counts from {known[0]:g} to {known[-1]:g}, larger in each row: it looks like the row's number"
        yield warning(where, text, "leave it out: new rows have numbers that no row of the training had")
    yield from _extreme(where, column, found)


def _extreme(where: str, column: pa.ChunkedArray, found: Scanned) -> Iterator[Finding]:
    values = column.to_numpy()
    apart = np.abs(values - np.nanmedian(values))
    usual = float(np.nanquantile(apart, 0.95))
    far = np.flatnonzero(apart > EXTREME * usual) if usual else np.array([], dtype=np.int64)
    if not len(far):
        return
    rest = np.delete(values, far)
    more = f" and {len(far) - 1:,} more" if len(far) > 1 else ""
    yield warning(
        f"{where}, {found.line(int(far[0]))}",
        f"received {values[far[0]]:g}{more}, all others lie from {np.nanmin(rest):g} to {np.nanmax(rest):g}: mean and "
        "deviation follow the one, and the others all look alike",
        "mend it; if it means a missing value, list its text in data.format.nulls",
    )


def _category(where: str, options: CategoryOptions, numbers: dict[str, Any]) -> Iterator[Finding]:
    known, names = numbers["rows"] - numbers["missing"], numbers["distinct"]
    if names == 1:
        yield warning(where, f"every value is {numbers['top'][0][0]!r}: there is nothing to learn", "leave it out")
    elif names >= IDENTIFIER * known:
        text = f"{names:,} different names in {known:,} rows: it looks like an identifier of the row"
        yield warning(where, text, "leave it out: a model can only learn it by heart")
    elif names > options.max_vocabulary:
        text = f"{names:,} names, max_vocabulary keeps the {options.max_vocabulary:,} most frequent, the rest are one"
        yield warning(where, text, "join rare names in the data, or raise max_vocabulary")
    elif names > MANY_NAMES and known < ROWS_A_NAME * names:
        text = f"{names:,} names, {known / names:.1f} rows each: most names teach nothing, and make the model large"
        yield warning(where, text, "join rare names in the data, set max_vocabulary lower, or leave it out")
    yield from spellings(where, [text for text, _ in numbers["top"]])


def _image(where: str, options: ImageOptions, numbers: dict[str, Any]) -> Iterator[Finding]:
    largest = numbers["max"]
    if numbers["min"] == largest:
        yield warning(where, f"every pixel is {largest}: there is nothing to see", "look at columns.first and last")
    elif 2 * largest < options.scale:
        text = f"no pixel is above {largest}, and scale says {options.scale}: the model sees almost black images"
        yield warning(f"{where}.scale", text, f"say `scale: {largest}`, or the largest value that a pixel can have")


def spellings(where: str, names: list[str]) -> Iterator[Finding]:
    """Names that differ only by case or blanks."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault("".join(name.split()).casefold(), []).append(name)
    for same in folded.values():
        if len(same) > 1:
            listed = ", ".join(map(repr, sorted(same)))
            yield warning(
                where, f"{listed} are told apart: by case or blanks alone", "write them alike, if they mean one thing"
            )
