"""A whole proposal: the file's format, its features, what is left out, its label, and what follows from their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ferryman.data.options import CsvFormat, ParquetFormat
from ferryman.errors import DataError
from ferryman.spec.proposing.cells import Shape, shape_of
from ferryman.spec.proposing.images import Image, Pixels, find_images
from ferryman.spec.proposing.judging import Judgement, decimal_mark, judge, numbers
from ferryman.spec.proposing.labels import LabelPlan, plan_label
from ferryman.spec.proposing.naming import feature_names
from ferryman.spec.proposing.survey import Column, Survey
from ferryman.spec.proposing.words import called, shown

FEWEST: Final = 30
"""Rows without which no split leaves enough to train, to stop and to judge: 16 + 5 + 9."""

GROWING: Final = 50_000
"""From so many rows on data usually grow, and exact sizes matter no longer."""

RARE: Final = 20
"""A class with fewer rows may miss a side of a hash split by chance: 0.3 to the power of 20 is 10^-11."""


@dataclass(frozen=True)
class Feature:
    """One feature: its name, its options as the spec writes them, and what was seen."""

    name: str
    options: dict[str, Any]
    seen: str


@dataclass(frozen=True)
class LeftOut:
    """A column that no feature reads, and why."""

    column: str | int
    why: str


@dataclass(frozen=True)
class Split:
    """Which rows train, which stop the training, and which judge."""

    kind: Literal["exact", "hash"]
    validation: float
    test: float


@dataclass(frozen=True)
class Proposal:
    """All that the spec will say, and what it rests on."""

    survey: Survey
    form: CsvFormat | ParquetFormat
    features: list[Feature]
    left_out: list[LeftOut]
    notes: list[str]
    """What a person should know of the features, beside what stands at each."""

    label: LabelPlan
    label_column: str | int
    split: Split
    rows: int
    """Rows that have a label, in the whole file."""

    @property
    def test_rows(self) -> int:
        """Rows of the test split, about."""
        return max(1, math.floor(self.rows * self.split.test + 0.5))

    @property
    def train_rows(self) -> int:
        """Rows of the train split, about."""
        return max(1, round(self.rows * (1 - self.split.test - self.split.validation)))

    @property
    def image(self) -> tuple[int, int] | None:
        """Height and width of the image among the features, if there is one."""
        shape = next((feature.options["shape"] for feature in self.features if "shape" in feature.options), None)
        return (shape[0], shape[1]) if shape else None


def propose(survey: Survey, form: CsvFormat | ParquetFormat, label: int) -> Proposal:
    """What the tallies of a table suggest for learning the column at `label`.

    Raises:
        DataError: too few rows, a label that cannot be learned, or no column left to learn from.
    """
    source = survey.header.source
    if survey.whole and survey.rows < FEWEST:
        raise DataError(
            f"{survey.rows} rows are too few to train a model, to stop its training and to judge it: "
            f"expected at least {FEWEST} (some hundred make it worthwhile)",
            source=source,
        )
    decimal = decimal_mark(survey.columns, form.separator) if form.kind == "csv" else "."
    images = find_images(survey.columns, label)
    pixels = {place for image in images if isinstance(image, Image) for place in range(image.first, image.last + 1)}
    judged = {
        column.position: _judged(survey, column, decimal)
        for column in survey.columns
        if column.position not in {label, *pixels}
    }
    nulls = _nulls(survey, judged, label, decimal)
    plan = plan_label(survey.columns[label], decimal, nulls, source, survey.whole)
    rows = round(survey.total * plan.known / survey.columns[label].rows)
    return Proposal(
        survey=survey,
        form=_form(form, decimal, nulls),
        features=_features(survey, judged, images, nulls),
        left_out=_left_out(survey, judged),
        notes=_notes(images),
        label=plan,
        label_column=column_reference(survey, label),
        split=_split(rows, plan),
        rows=rows,
    )


def _judged(survey: Survey, column: Column, decimal: str) -> Judgement:
    why = survey.header.refused.get(column.position)
    return Judgement(None, why) if why else judge(column, decimal)


def column_reference(survey: Survey, position: int) -> str | int:
    """How a spec names a column: by its name, or by its index where that is empty or not the only one."""
    names = survey.header.names
    if names is None or not names[position] or names.count(names[position]) > 1:
        return position
    return names[position]


def _nulls(survey: Survey, judged: dict[int, Judgement], label: int, decimal: str) -> tuple[str, ...]:
    """Texts that mean missing in the columns that are used; the empty text first, for every file may have it."""
    found: dict[str, None] = {"": None}
    for column in survey.columns:
        kind = _kind(judged, column.position)
        if column.position == label:
            kind = "number" if numbers(column, decimal) == column.known else "category"
        for text in column.nulls:
            # A word is a missing value among numbers only.
            if kind and (kind == "number" or shape_of(text) is Shape.MISSING):
                found[text] = None
    return tuple(found)


def _kind(judged: dict[int, Judgement], position: int) -> Literal["number", "category"] | None:
    return judged[position].kind if position in judged else None


def _form(form: CsvFormat | ParquetFormat, decimal: str, nulls: tuple[str, ...]) -> CsvFormat | ParquetFormat:
    if form.kind == "parquet":
        return form.model_copy(update={"nulls": tuple(text for text in nulls if text)})
    return form.model_copy(update={"decimal": decimal, "nulls": nulls})


def _features(
    survey: Survey, judged: dict[int, Judgement], images: Sequence[Image | Pixels], nulls: Sequence[str]
) -> list[Feature]:
    kept = [column for column in survey.columns if _kind(judged, column.position)]
    names = feature_names((column.position, column_reference(survey, column.position)) for column in kept)
    taken = set(names.values())
    features = [_image_feature(image, taken) for image in images if isinstance(image, Image)]
    for column in kept:
        found, name = judged[column.position], names[column.position]
        reference = column_reference(survey, column.position)
        options: dict[str, Any] = {"kind": found.kind}
        options |= {"column": reference} if reference != name else {}
        if any(text in nulls for text in column.nulls):
            options["missing"] = "mean" if found.kind == "number" else "category"
        features.append(Feature(name, options, found.seen + _words_lost(column, found, nulls)))
    if not features:
        left = "; ".join(f"{called(entry.column)}: {entry.why}" for entry in _left_out(survey, judged)[:5])
        raise DataError(
            f"no column is left to learn from, beside the label ({left or 'it is the only one'})",
            source=survey.header.source,
        )
    return features


def _words_lost(column: Column, found: Judgement, nulls: Sequence[str]) -> str:
    """That a category's value is read as missing, because it means that in a column of numbers."""
    lost = [shown(text) for text in column.nulls if text in nulls and shape_of(text) is Shape.WORD]
    return f"; {' and '.join(lost)} is read as missing" if lost and found.kind == "category" else ""


def _image_feature(image: Image, taken: set[str]) -> Feature:
    name = next(name for name in ("image", f"image_{image.first}") if name not in taken)
    options: dict[str, Any] = {
        "kind": "image",
        "columns": {"first": image.first, "last": image.last},
        "shape": [image.side, image.side, image.channels],
    }
    options |= {"scale": image.scale} if image.scale != 255 else {}
    cells = image.last - image.first + 1
    return Feature(name, options, f"{cells} whole numbers up to {image.scale} side by side: taken for pixels")


def _left_out(survey: Survey, judged: dict[int, Judgement]) -> list[LeftOut]:
    return [
        LeftOut(column_reference(survey, position), found.seen) for position, found in judged.items() if not found.kind
    ]


def _notes(images: Sequence[Image | Pixels]) -> list[str]:
    return [
        f"Columns {run.first} to {run.last} look like {run.last - run.first + 1} pixels, which make no square. If they are "
        f"one image, write instead of them: image: {{kind: image, columns: {{first: {run.first}, last: {run.last}}}, "
        "shape: [HEIGHT, WIDTH, 1]}, and model: {kind: cnn}"
        for run in images
        if isinstance(run, Pixels)
    ]


def _split(rows: int, label: LabelPlan) -> Split:
    growing = rows >= GROWING and (label.kind == "number" or label.rarest >= RARE)
    if growing:
        return Split("hash", 0.1, 0.2)
    return Split("exact", 0.15, 0.3) if rows < 1_000 else Split("exact", 0.1, 0.2)
