"""How a model is built: one file per family, each with its options and its layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from ferryman.models.base import FamilyOptions
from ferryman.models.cnn import CnnOptions
from ferryman.models.mlp import MlpOptions

__all__ = ["CnnOptions", "FamilyOptions", "MlpOptions", "ModelOptions", "model_from"]

ModelOptions = Annotated[CnnOptions | MlpOptions, Field(discriminator="kind")]
"""The options of any model family, told apart by `kind`."""

_MODEL: TypeAdapter[CnnOptions | MlpOptions] = TypeAdapter(ModelOptions)


def model_from(document: Mapping[str, Any]) -> CnnOptions | MlpOptions:
    """The options of a model family; pydantic's ValidationError when `document` is not one."""
    return _MODEL.validate_python(dict(document))
