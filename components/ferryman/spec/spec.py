"""The spec: one YAML file that describes one model and nothing of where it runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from ferryman.code.reference import is_reference
from ferryman.data.options import CsvFormat, ExactSplit, Format, Label, Options, PinnedSource, Split
from ferryman.features import Feature
from ferryman.models import ModelOptions
from ferryman.spec.blocks import CodeFolder, Convert, Gate, Train
from ferryman.storage.code import PinnedCode

FORMAT = 1
"""The number of the spec's format that this version reads."""

LOSS = "loss"
"""What `train.stop.metric` calls the quantity that fitting minimises."""

FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


def _code_tag(block: Any) -> str:
    pinned = isinstance(block, PinnedCode) or (
        isinstance(block, dict) and not block.keys().isdisjoint({"uri", "sha256"})
    )
    return "pinned" if pinned else "folder"


Code = Annotated[Annotated[CodeFolder, Tag("folder")] | Annotated[PinnedCode, Tag("pinned")], Discriminator(_code_tag)]
"""A package of the user's own, as its author names it or as it was pinned."""


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

    code: Code | None = None
    """A package of the user's own; by default every kind is a built-in one. `ferryman run` pins it by content."""

    data: Data
    """Where the rows come from and what their columns mean."""

    model: ModelOptions
    """The family of the model and its options, or a class of the user's own (`kind: fraud.model:Fraud`)."""

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

    @property
    def metrics(self) -> dict[str, str]:
        """Every metric that is bounded or watched: its place in the spec -> its name."""
        gate = self.gate
        named = {f"gate.require.{number}.metric": bound.metric for number, bound in enumerate(gate.require)}
        named |= {"gate.champion.metric": gate.champion.metric, "gate.converted.metric": gate.converted.metric}
        if self.train.stop and self.train.stop.metric != LOSS:
            named["train.stop.metric"] = self.train.stop.metric
        return named

    @property
    def references(self) -> dict[str, str]:
        """Every class of the user's own: its place in the spec -> `package.module:Class`."""
        kinds = {"model.kind": self.model.kind}
        kinds |= {f"data.features.{name}.kind": feature.kind for name, feature in self.data.features.items()}
        return {place: name for place, name in (kinds | self.metrics).items() if is_reference(name)}

    def document(self) -> dict[str, Any]:
        """The spec as plain JSON data with all defaults written out."""
        # Without code of one's own a spec keeps the hash that it had before there was such a block.
        return self.model_dump(mode="json", by_alias=True, exclude={"code"} if self.code is None else None)

    def compact(self) -> dict[str, Any]:
        """The same spec as plain JSON data without the features' defaults: of a wide table they are most of it."""
        features = {
            name: feature.model_dump(mode="json", exclude_defaults=True) for name, feature in self.data.features.items()
        }
        document = self.document()
        return {**document, "data": {**document["data"], "features": features}}
