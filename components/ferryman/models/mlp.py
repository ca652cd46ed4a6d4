"""The multilayer perceptron: dense layers over all features side by side; for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ferryman.features.base import FeatureOptions
from ferryman.models.base import FamilyOptions, flat


class MlpOptions(FamilyOptions):
    """Dense layers with ReLU."""

    kind: Literal["mlp"]

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64,)
    """Units per hidden layer; none gives a linear model. One layer of 64 fits tables of some thousand rows."""

    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """The fraction of each hidden layer's units that is left out at random in training. Small tables have few columns
    that repeat each other, so little is left out."""

    def check(self, features: Mapping[str, FeatureOptions]) -> None:
        if not features:
            raise ValueError("received no features, expected at least one")

    def body(self, encoded: Mapping[str, Any]) -> Any:
        import keras

        tensor = flat(encoded)
        for number, units in enumerate(self.hidden):
            tensor = keras.layers.Dense(units, activation="relu", name=f"hidden.{number}")(tensor)
            if self.dropout:
                tensor = keras.layers.Dropout(self.dropout, name=f"dropout.{number}")(tensor)
        return tensor
