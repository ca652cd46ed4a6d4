"""The options of the `data` block that need no feature kind: where rows come from, how they are read and split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from ferryman.storage.inputs import PinnedSource

__all__ = [
    "ClassLabel",
    "Column",
    "CsvFormat",
    "ExactSplit",
    "Format",
    "Fraction",
    "HashSplit",
    "Label",
    "NumberLabel",
    "Options",
    "ParquetFormat",
    "PinnedSource",
    "Split",
    "format_from",
]


class Options(BaseModel):
    """Base of every block of the spec: unknown fields are refused, values are immutable.

    The text under a field is its description in the published JSON Schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Column = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""A source column: its name in the header, or its index from 0."""

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class CsvFormat(Options):
    """Comma-separated values, read as a stream; `.gz` is decompressed on the way."""

    kind: Literal["csv"] = "csv"

    header: bool = True
    """Whether the first line names the columns. With or without, columns can be given by index from 0."""

    separator: str = Field(default=",", json_schema_extra={"pattern": r'^[^"\r\n\x00]$'})
    """One character between cells; a tab is written `"\\t"`, in double quotes."""

    decimal: Literal[".", ","] = "."
    """The decimal mark of numbers. Thousands separators are refused: nobody can tell `1.234` from `1,234` in general."""

    nulls: tuple[str, ...] = ("",)
    """Cells with one of these texts are missing values; the default is the empty cell."""

    @field_validator("separator")
    @classmethod
    def _one_character(cls, separator: str) -> str:
        if len(separator) != 1 or separator in '"\r\n\0':
            raise ValueError(f'received {separator!r}, expected one character, e.g. ";", or "\\t" for a tab')
        return separator

    @property
    def missing(self) -> frozenset[str]:
        """The texts of cells that are missing values."""
        return frozenset(self.nulls)


class ParquetFormat(Options):
    """Parquet, read as a stream of record batches; each value is read as the text that a CSV file would have."""

    kind: Literal["parquet"]

    nulls: tuple[str, ...] = ()
    """Texts that are missing values too. Parquet's own nulls and NaN are always missing: they read as the empty text."""

    @property
    def missing(self) -> frozenset[str]:
        """The texts of cells that are missing values."""
        return frozenset({"", *self.nulls})


Format = Annotated[CsvFormat | ParquetFormat, Field(discriminator="kind")]
"""How a source's bytes are read, told apart by `kind`."""

_FORMAT: TypeAdapter[CsvFormat | ParquetFormat] = TypeAdapter(Format)


def format_from(document: Mapping[str, Any]) -> CsvFormat | ParquetFormat:
    """The options of a format, of CSV where `kind` is not written; pydantic's ValidationError when it is none."""
    return _FORMAT.validate_python({"kind": "csv", **document})


class ClassLabel(Options):
    """A label that is one of a few names; read as text without the blanks round it.

    Classes are in sorted order: by value where all are numbers, else as text.
    """

    kind: Literal["class"]
    column: Column
    missing: Literal["refuse", "drop"] = "refuse"
    """What happens to a row without a label: by default the data are refused."""

    classes: tuple[str, ...] | None = Field(default=None, min_length=2)
    """The names that may occur; any other label is refused. By default whatever the data hold."""

    @model_validator(mode="after")
    def _classes_are_names(self) -> Self:
        names = self.classes or ()
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"received the class {name!r} twice, expected each once")
            if not name or name != name.strip():
                raise ValueError(
                    f"received the class {name!r}: labels are read without blanks round them, so none is it"
                )
        return self


class NumberLabel(Options):
    """A label that is a finite number."""

    kind: Literal["number"]
    column: Column
    missing: Literal["refuse", "drop"] = "refuse"


Label = Annotated[ClassLabel | NumberLabel, Field(discriminator="kind")]


class _Fractions(Options):
    """The shares of validation and test; train gets the rest."""

    kind: str
    validation: Fraction = 0.1
    """Share of the rows that training watches to stop and to keep the best weights."""

    test: Fraction = 0.2
    """Share of the rows that training never sees; a fifth, because every bound of the gate is judged on them."""

    seed: int = 0
    """Another seed gives another split; it has nothing to do with that of training."""

    @model_validator(mode="after")
    def _train_gets_a_share(self) -> Self:
        if self.validation + self.test >= 1.0:
            total = f"{self.validation:g} + {self.test:g}"
            raise ValueError(f"validation and test are {total} of the rows, expected less than 1: train gets the rest")
        return self


class ExactSplit(_Fractions):
    """Exact sizes, ordered by a seeded hash of each row, stratified by class; for small data that does not grow."""

    kind: Literal["exact"] = "exact"


class HashSplit(_Fractions):
    """Each row's side depends on nothing but `key`, so that it stays on its side as the data grow."""

    kind: Literal["hash"]
    key: tuple[Column, ...] | None = Field(default=None, min_length=1)
    """The columns that identify a row; by default all of them."""


Split = Annotated[ExactSplit | HashSplit, Field(discriminator="kind")]
