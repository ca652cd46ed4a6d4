"""Whether the signatures of a model that was not made by us fit the features and the label of a spec. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.artifacts.model_card import CoreCard
from ferryman.errors import SpecError
from ferryman.features import Feed, TensorSpec, raw_specs
from ferryman.features.base import FeatureOptions
from ferryman.models.saved import SavedOptions
from ferryman.steps.train.signature import WORDS, Signature, Tensor, check_batches, check_numbers

FLOATS: Final = ("float32", "float64", "float16")


@dataclass(frozen=True)
class Match:
    """How a model is asked, and what of it is converted."""

    signature: Signature
    inputs: list[Feed]
    output: str
    core: CoreCard | None


def match(
    options: SavedOptions,
    features: Mapping[str, FeatureOptions],
    classes: Sequence[str] | None,
    signatures: Mapping[str, Signature],
) -> Match:
    """How the signatures that `options` name are used; `classes` is None for numbers, empty while they are unknown.

    Raises:
        SpecError: a signature, an input or an output is not there or not what the spec needs; says both sides.
    """
    signature = _named(signatures, options.signature, "model.signature")
    check_batches(signature, "model.signature")
    feeds = match_inputs(options, features, signature)
    output = match_output(options, classes, signature, "model.output")
    _check_label(options, signature)
    core = _core(options, features, classes, signatures) if options.core else None
    return Match(signature, feeds, output, core)


def match_inputs(
    options: SavedOptions, features: Mapping[str, FeatureOptions], signature: Signature, *, partly: bool = False
) -> list[Feed]:
    """How each input of `signature` is fed; with `partly` some features may stay unused.

    Raises:
        SpecError: an input that nothing feeds, a feature without an input, another dtype or shape; says both sides.
    """
    raw = {spec.name: spec for spec in raw_specs(features)}
    fed: dict[str, list[str]] = {}
    for name in features:
        if partly and raw[name].dtype in WORDS:
            continue
        alias = _alias(options, name, signature)
        if alias in signature.inputs:
            fed.setdefault(alias, []).append(name)
        elif not partly:
            expected = ", ".join(f"{name} ({tensor})" for name, tensor in signature.inputs.items())
            raise SpecError(
                f"model.inputs.{name}",
                f"the signature {signature.name!r} has no input {alias!r}; it has {expected or 'none'}: "
                f"write `inputs: {{{name}: INPUT}}`",
            )
    for alias, tensor in signature.inputs.items():
        if alias not in fed:
            raise SpecError(
                "model.inputs",
                f"no feature feeds the input {alias!r} ({tensor}) of the signature {signature.name!r}: add the feature "
                f"to data.features, or name it with `inputs: {{FEATURE: {alias}}}`",
            )
    return [_feed(options, alias, [raw[name] for name in fed[alias]], signature) for alias in signature.inputs]


def match_output(options: SavedOptions, classes: Sequence[str] | None, signature: Signature, path: str) -> str:
    """The alias of the output with the probabilities of `classes`, or with the value where they are None.

    `path` is the field of the spec that a refusal names.

    Raises:
        SpecError: no output could be it, or several; or the named one is of another dtype, shape or number of classes.
    """
    wanted = (
        f"float32 [n, {len(classes) or 'k'}], a probability a class"
        if classes is not None
        else "float32 [n] or [n, 1], the value"
    )
    told = ", ".join(f"{alias} ({tensor})" for alias, tensor in signature.outputs.items())
    if options.output is not None and options.output in signature.outputs:
        candidates = [options.output]
    elif options.output is not None and path == "model.output":
        raise SpecError(path, f"the signature {signature.name!r} has no output {options.output!r}; it has {told}")
    else:
        candidates = [alias for alias, tensor in signature.outputs.items() if _numeric(tensor, classes)]
    if len(candidates) != 1:
        found = "none of them is" if not candidates else f"{' and '.join(candidates)} could both be"
        raise SpecError(
            path, f"the signature {signature.name!r} gives {told}; {found} {wanted}: name one with `output`"
        )
    (alias,) = candidates
    tensor = signature.outputs[alias]
    if not _numeric(tensor, classes):
        raise SpecError(path, f"received the output {alias!r}, {tensor}, expected {wanted}")
    if classes and tensor.shape is not None and tensor.shape[1] not in (None, len(classes)):
        raise SpecError(
            "model.classes",
            f"the output {alias!r} has {tensor.shape[1]} columns, expected {len(classes)}, one a class "
            f"({', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}): name the model's own with `classes`",
        )
    return alias


def _core(
    options: SavedOptions,
    features: Mapping[str, FeatureOptions],
    classes: Sequence[str] | None,
    signatures: Mapping[str, Signature],
) -> CoreCard | None:
    if options.core is None:
        return None
    path = "model.core"
    signature = _named(signatures, options.core.signature, f"{path}.signature")
    check_batches(signature, path)
    check_numbers(signature, path)
    feeds = match_inputs(options, features, signature, partly=True)
    return CoreCard(signature=signature.name, output=match_output(options, classes, signature, path), feeds=feeds)


def _named(signatures: Mapping[str, Signature], name: str, path: str) -> Signature:
    if name not in signatures:
        raise SpecError(path, f"the SavedModel has no signature {name!r}; it has {', '.join(signatures) or 'none'}")
    return signatures[name]


def _check_label(options: SavedOptions, signature: Signature) -> None:
    """Refuse a `label_output` that the signature does not have, or that is no text [n]."""
    alias = options.label_output
    if alias is None:
        return
    if alias not in signature.outputs:
        raise SpecError(
            "model.label_output",
            f"the signature {signature.name!r} has no output {alias!r}; it has {', '.join(signature.outputs)}",
        )
    tensor = signature.outputs[alias]
    if tensor.dtype not in WORDS or not tensor.fits(()):
        raise SpecError("model.label_output", f"received the output {alias!r}, {tensor}, expected string [n]")


def _alias(options: SavedOptions, feature: str, signature: Signature) -> str:
    said = options.feed(feature).input
    if said is not None:
        return said
    # A single input can only be what all features are fed to: Keras gives it a name that nobody knows.
    return next(iter(signature.inputs)) if len(signature.inputs) == 1 else feature


def _feed(options: SavedOptions, alias: str, specs: list[TensorSpec], signature: Signature) -> Feed:
    tensor, said = signature.inputs[alias], [options.feed(spec.name) for spec in specs]
    dtypes = {feed.cast or spec.dtype for feed, spec in zip(said, specs, strict=True)}
    divisors = {feed.divide for feed in said}
    names, path = [spec.name for spec in specs], f"model.inputs.{specs[0].name}"
    gives = _gives(specs, dtypes)
    if len(divisors) > 1 or len(dtypes) > 1:
        raise SpecError(path, f"{gives}: the columns of one input need one `cast` and one `divide`")
    wants = f"the input {alias!r} of {signature.name!r} expects {tensor}"
    if dtypes != {tensor.dtype}:
        raise SpecError(path, f"{gives}, {wants}{_advice(specs[0], alias, tensor)}")
    row = _row(specs, tensor)
    if row is None:
        raise SpecError(path, f"{gives}, {wants}{_columns_advice(specs, tensor, alias)}")
    return Feed(input=alias, features=tuple(names), dtype=tensor.dtype, shape=row, divide=divisors.pop())


def _gives(specs: list[TensorSpec], dtypes: set[str]) -> str:
    given = Tensor(" and ".join(sorted(dtypes)), (None, *specs[0].shape))
    if len(specs) == 1:
        return f"the feature gives {given}"
    return f"the features {', '.join(spec.name for spec in specs)} give {len(specs)} columns of {given}"


def _advice(spec: TensorSpec, alias: str, tensor: Tensor) -> str:
    if "string" in (spec.dtype, tensor.dtype):
        return ": numbers are not made text, nor text numbers; feed another feature to it"
    return (
        f": write `inputs: {{{spec.name}: {{input: {alias}, cast: {tensor.dtype}}}}}` (clients then send {tensor.dtype}; "
        "`divide: 255` beside it for pixels from 0 to 1), or export the model with the cast inside"
    )


def _columns_advice(specs: list[TensorSpec], tensor: Tensor, alias: str) -> str:
    if tensor.shape and len(tensor.shape) == 2 and tensor.shape[1] != len(specs) and not specs[0].shape:
        return (
            f": {tensor.shape[1] or 'k'} columns; they are the features that name this input, or all of them where it is "
            f"the only one: `inputs: {{FIRST: {alias}, SECOND: {alias}, ...}}`"
        )
    return ""


def _row(specs: list[TensorSpec], tensor: Tensor) -> tuple[int, ...] | None:
    """The shape of one row of an input that is fed by these features; None when they do not fit."""
    shapes = {spec.shape for spec in specs}
    if len(specs) > 1:
        row = (len(specs),)
        return row if shapes == {()} and tensor.fits(row) else None
    (shape,) = shapes
    if tensor.fits(shape):
        return shape
    # The same numbers in the same order: a dimension of 1 more or less.
    known = tuple(size or 1 for size in (tensor.shape or ())[1:])
    same = [size for size in known if size != 1] == [size for size in shape if size != 1]
    return known if same and tensor.fits(known) else None


def _numeric(tensor: Tensor, classes: Sequence[str] | None) -> bool:
    """Whether an output could hold probabilities [n, k], or a value [n] or [n, 1]."""
    if tensor.dtype not in FLOATS:
        return False
    rank = None if tensor.shape is None else len(tensor.shape)
    if classes is not None:
        return rank in (None, 2)
    return rank in (None, 1) or (rank == 2 and tensor.shape is not None and tensor.shape[1] in (None, 1))
