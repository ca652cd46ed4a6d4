"""What a model reads: one file per kind of feature, each with its options, parsing, fit, transform and reference."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from pydantic import Discriminator, Tag, TypeAdapter

from ferryman.code.reference import USER, kind_tag
from ferryman.features.base import CellError, FeatureOptions, Fitted, TensorSpec
from ferryman.features.category import CategoryOptions
from ferryman.features.feeds import Feed, feed_tensors
from ferryman.features.image import ImageOptions
from ferryman.features.number import NumberOptions
from ferryman.features.user_kind import UserFeatureOptions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CategoryOptions",
    "CellError",
    "Feature",
    "FeatureOptions",
    "Feed",
    "Fitted",
    "ImageOptions",
    "NumberOptions",
    "TensorSpec",
    "UserFeatureOptions",
    "check_names",
    "device_reference",
    "device_specs",
    "features_from",
    "feed_tensors",
    "fit_features",
    "preprocess_document",
    "raw_specs",
    "raw_tensors",
]

Feature = Annotated[
    Annotated[NumberOptions, Tag("number")]
    | Annotated[CategoryOptions, Tag("category")]
    | Annotated[ImageOptions, Tag("image")]
    | Annotated[UserFeatureOptions, Tag(USER)],
    Discriminator(kind_tag),
]
"""The options of any kind of feature, told apart by `kind`."""

_FEATURE: TypeAdapter[NumberOptions | CategoryOptions | ImageOptions | UserFeatureOptions] = TypeAdapter(Feature)

PREPROCESS_VERSION = 1


def features_from(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, FeatureOptions]:
    """Feature options by name, in the order of `documents`; pydantic's ValidationError when one is not a feature."""
    return {name: _FEATURE.validate_python(dict(document)) for name, document in documents.items()}


RESERVED: Final = {"label": "the label", "row": "the row's number", "self": "the signature's function"}
"""Words of the formats that carry features, which none can have as its name -> whose they are."""


def check_names(features: Mapping[str, FeatureOptions]) -> None:
    """Refuse features whose tensors would collide.

    Raises:
        ValueError: two names differ only by case, one is the missing flag of another, or one begins with `_`.
    """
    owners: dict[str, str] = {}
    for name, feature in features.items():
        if name.startswith("_"):
            raise ValueError(f"feature {name!r} begins with '_', which no tensor's name can: rename it")
        if keyword.iskeyword(name):
            raise ValueError(
                f"feature {name!r} is a word of Python, which no argument of a signature can be: rename it"
            )
        for tensor in feature.claimed_names(name):
            # TensorFlow's graphs tell names apart without their case, and rename one of the two in silence.
            other = owners.setdefault(tensor.lower(), name)
            if other != name:
                raise ValueError(
                    f"features {other!r} and {name!r} would both have a tensor {tensor!r} "
                    "(case does not count, and `missing: mean` adds NAME_missing): rename one"
                )


def raw_specs(features: Mapping[str, FeatureOptions]) -> list[TensorSpec]:
    """The inputs of `serving_default`, one a feature."""
    return [feature.raw_spec(name) for name, feature in features.items()]


def device_specs(features: Mapping[str, FeatureOptions], fitted: Mapping[str, Fitted]) -> list[TensorSpec]:
    """The inputs of `core`, in the order of the features."""
    return [spec for name, feature in features.items() for spec in feature.device_specs(name, fitted[name])]


def raw_tensors(features: Mapping[str, FeatureOptions], table: pa.Table) -> dict[str, np.ndarray]:
    """The raw tensor [n, ...] of each feature from the columns of the same names."""
    return {name: feature.raw(table.column(name)) for name, feature in features.items()}


def fit_features(features: Mapping[str, FeatureOptions], raw: Mapping[str, np.ndarray]) -> dict[str, Fitted]:
    """What each feature learns from the raw tensors of the train split."""
    return {name: feature.fit(raw[name]) for name, feature in features.items()}


def preprocess_document(
    features: Mapping[str, FeatureOptions], fitted: Mapping[str, Fitted], feeds: Sequence[Feed] | None = None
) -> dict[str, Any]:
    """`preprocess.json`: all that a device needs to turn raw rows into the inputs of `core`.

    Per feature its options, what was fitted, and name, dtype and row shape of its raw and device tensors. With `feeds`
    nothing was fitted: they alone say what `core` is given.
    """
    if feeds is not None:
        return {
            "schema_version": PREPROCESS_VERSION,
            "features": {
                name: {"options": feature.model_dump(mode="json"), "raw": _document(feature.raw_spec(name))}
                for name, feature in features.items()
            },
            "feeds": [feed.model_dump(mode="json") for feed in feeds],
        }
    return {
        "schema_version": PREPROCESS_VERSION,
        "features": {
            name: {
                "options": feature.model_dump(mode="json"),
                "fitted": dict(fitted[name]),
                "raw": _document(feature.raw_spec(name)),
                "device": [_document(spec) for spec in feature.device_specs(name, fitted[name])],
            }
            for name, feature in features.items()
        },
    }


def device_reference(preprocess: Mapping[str, Any], raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The device tensors of raw ones, computed from `preprocess.json` alone with numpy.

    `raw` is by feature name: numbers float [n], NaN where missing; text as objects (str or UTF-8 bytes) or fixed-width
    bytes [n], "" where missing; images uint8 [n, h, w, c].

    Raises:
        ValueError: the document is of another version, or a feature's raw tensor is missing.
    """
    version = preprocess.get("schema_version")
    if version != PREPROCESS_VERSION:
        raise ValueError(f"preprocess.json has schema {version!r}, expected {PREPROCESS_VERSION}")
    entries = preprocess["features"]
    absent = sorted(entries.keys() - raw.keys())
    if absent:
        raise ValueError(f"no raw tensor for {', '.join(absent)}; received {', '.join(sorted(raw))}")
    if "feeds" in preprocess:
        return (
            feed_tensors([Feed.model_validate(feed) for feed in preprocess["feeds"]], raw)
            if preprocess["feeds"]
            else {}
        )
    features = features_from({name: entry["options"] for name, entry in entries.items()})
    device: dict[str, np.ndarray] = {}
    for name, feature in features.items():
        device |= feature.reference(name, entries[name]["fitted"], raw[name])
    return device


def _document(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
