"""What every model family answers: which features it can read, and the layers between the features and the head."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict

from ferryman.data.options import Options
from ferryman.features.base import FeatureOptions


class FamilyOptions(Options):
    """Base of the model families; a family is one file that subclasses this with its own `kind` literal."""

    # What stands under the fields reaches the published JSON Schema.
    model_config = ConfigDict(use_attribute_docstrings=True)

    @abstractmethod
    def check(self, features: Mapping[str, FeatureOptions]) -> None:
        """Refuse features that this family cannot read.

        Raises:
            ValueError: says which feature is wrong or missing, and what to try.
        """

    @abstractmethod
    def body(self, encoded: Mapping[str, Any]) -> Any:
        """One Keras tensor [n, width] for the head, from the encoded features: tables [n, c], images [n, h, w, c]."""


def flat(encoded: Mapping[str, Any]) -> Any:
    """One Keras tensor [n, c] of all encoded features side by side, images flattened."""
    import keras

    columns = [
        tensor if len(tensor.shape) == 2 else keras.layers.Flatten(name=f"{name}.flat")(tensor)
        for name, tensor in encoded.items()
    ]
    return columns[0] if len(columns) == 1 else keras.layers.Concatenate(name="body.columns")(columns)
