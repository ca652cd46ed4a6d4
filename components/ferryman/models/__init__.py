"""How a model comes to be: one file per family, each with its options and its layers; or saved, with no layers at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter

from ferryman.code.reference import USER, kind_tag
from ferryman.models.base import FamilyOptions
from ferryman.models.cnn import CnnOptions
from ferryman.models.mlp import MlpOptions
from ferryman.models.saved import SavedOptions
from ferryman.models.user import UserModelOptions

__all__ = [
    "CnnOptions",
    "FamilyOptions",
    "MlpOptions",
    "ModelOptions",
    "SavedOptions",
    "UserModelOptions",
    "model_from",
]

ModelOptions = Annotated[
    Annotated[CnnOptions, Tag("cnn")]
    | Annotated[MlpOptions, Tag("mlp")]
    | Annotated[SavedOptions, Tag("saved")]
    | Annotated[UserModelOptions, Tag(USER)],
    Discriminator(kind_tag),
]
"""The options of any model family, of a saved model, and of a class of the user's own, told apart by `kind`."""

_MODEL: TypeAdapter[CnnOptions | MlpOptions | SavedOptions | UserModelOptions] = TypeAdapter(ModelOptions)


def model_from(document: Mapping[str, Any]) -> CnnOptions | MlpOptions | SavedOptions | UserModelOptions:
    """The options of a model; pydantic's ValidationError when `document` is not one."""
    return _MODEL.validate_python(dict(document))
