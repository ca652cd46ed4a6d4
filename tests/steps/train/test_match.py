"""A signature that was not made by us fits the features and the label, or is refused with both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ferryman.errors import SpecError
from ferryman.features import features_from
from ferryman.models import SavedOptions
from ferryman.steps.train.match import Match, match
from ferryman.steps.train.signature import Signature, Tensor

FEATURES = {
    "age": {"kind": "number"},
    "mass": {"kind": "number", "missing": "mean"},
    "town": {"kind": "category"},
    "face": {"kind": "image", "columns": {"first": 3, "last": 11}, "shape": [3, 3, 1]},
}
CLASSES = ["a", "b", "c"]
VALUE = {"value": Tensor("float32", (None,))}
P = Tensor("float32", (None, 3))


def fit(
    takes: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor] | None = None,
    /,
    *,
    features: tuple[str, ...] = ("age",),
    classes: list[str] | None = CLASSES,
    others: Mapping[str, Signature] | None = None,
    **options: Any,
) -> Match:
    signature = Signature("serving_default", takes, {"p": P} if outputs is None else outputs)
    chosen = SavedOptions.model_validate({"kind": "saved", "source": "m", **options})
    known = features_from({name: FEATURES[name] for name in features})
    return match(chosen, known, classes, {"serving_default": signature, **(others or {})})


def number(*shape: int | None, dtype: str = "float32") -> Tensor:
    return Tensor(dtype, shape)


def test_inputs_go_by_the_features_name_unless_the_spec_says_another() -> None:
    inputs = {"age": number(None), "kg": number(None, 1), "town": Tensor("string", (None,))}
    found = fit(inputs, features=("age", "mass", "town"), inputs={"mass": "kg"})
    assert {feed.input: (feed.features, feed.shape) for feed in found.inputs} == {
        "age": (("age",), ()),
        "kg": (("mass",), (1,)),
        "town": (("town",), ()),
    }


def test_one_feature_and_one_input_match_whatever_their_names() -> None:
    (feed,) = fit({"keras_tensor": number(None)}).inputs
    assert (feed.input, feed.features) == ("keras_tensor", ("age",))


def test_the_only_input_takes_all_numbers_as_its_columns() -> None:
    (feed,) = fit({"input_layer_8": number(None, 2)}, features=("mass", "age")).inputs
    assert feed.features == ("mass", "age")
    with pytest.raises(SpecError, match=r"the features age, mass give 2 columns of float32 \[n\], .* float32 \[n, 3\]"):
        fit({"x": number(None, 3)}, features=("age", "mass"))


def test_features_that_name_one_input_are_its_columns_in_their_own_order() -> None:
    (feed,) = fit({"x": number(None, 2)}, features=("age", "mass"), inputs={"mass": "x", "age": "x"}).inputs
    assert (feed.features, feed.shape) == (("age", "mass"), (2,))


@pytest.mark.parametrize("shape", [(None, 3, 3, 1), (None, 3, 3), (None, None, None, 1), None])
def test_an_image_fits_with_or_without_its_channel(shape: Any) -> None:
    (feed,) = fit({"x": Tensor("uint8", shape)}, features=("face",)).inputs
    assert feed.shape in ((3, 3, 1), (3, 3))


def test_a_cast_that_is_written_out_is_taken() -> None:
    tensor = number(None, 3, 3, 1)
    (feed,) = fit({"x": tensor}, features=("face",), inputs={"face": {"cast": "float32", "divide": 255}}).inputs
    assert (feed.input, feed.dtype, feed.divide) == ("x", "float32", 255)


INPUTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "wrong dtype": (
        {"inputs": {"x": number(None, 3, 3, 1)}, "features": ("face",)},
        "model.inputs.face",
        "the feature gives uint8 [n, 3, 3, 1], the input 'x' of 'serving_default' expects float32 [n, 3, 3, 1]: write "
        "`inputs: {face: {input: x, cast: float32}}`",
    ),
    "text into numbers": (
        {"inputs": {"town": number(None)}, "features": ("town",)},
        "model.inputs.town",
        "the feature gives string [n], the input 'town' of 'serving_default' expects float32 [n]: numbers are not made",
    ),
    "wrong shape": (
        {"inputs": {"x": Tensor("uint8", (None, 4, 4, 1))}, "features": ("face",)},
        "model.inputs.face",
        "the feature gives uint8 [n, 3, 3, 1], the input 'x' of 'serving_default' expects uint8 [n, 4, 4, 1]",
    ),
    "one of many columns": (
        {"inputs": {"x": number(None, 4)}},
        "model.inputs.age",
        "4 columns; they are the features that name this input, or all of them where it is the only one: `inputs: {FIRST",
    ),
    "no such input": (
        {"inputs": {"x": number(None), "y": number(None)}, "features": ("age", "mass"), "said": {"age": "x"}},
        "model.inputs.mass",
        "the signature 'serving_default' has no input 'mass'; it has x (float32 [n]), y (float32 [n]): write `inputs:",
    ),
    "nothing feeds it": (
        {"inputs": {"age": number(None), "weight": number(None)}},
        "model.inputs",
        "no feature feeds the input 'weight' (float32 [n]) of the signature 'serving_default'",
    ),
    "a fixed batch": (
        {"inputs": {"age": number(1)}},
        "model.signature",
        "the input 'age' of 'serving_default' is float32 [1]",
    ),
}


@pytest.mark.parametrize("case", INPUTS)
def test_inputs_that_do_not_fit_are_refused_with_both_sides(case: str) -> None:
    given, path, words = INPUTS[case]
    with pytest.raises(SpecError) as refused:
        fit(given["inputs"], features=given.get("features", ("age",)), inputs=given.get("said", {}))
    assert refused.value.path == path
    assert words in str(refused.value)


@pytest.mark.parametrize(("outputs", "chosen"), [({"p": P}, "p"), ({"emb": number(None, 4, 2), "q": P}, "q")])
def test_the_one_output_that_can_be_probabilities_is_taken(outputs: dict[str, Tensor], chosen: str) -> None:
    assert fit({"age": number(None)}, outputs).output == chosen


@pytest.mark.parametrize("tensor", [number(None), number(None, 1), number(None, dtype="float64")])
def test_a_value_may_have_a_column_of_its_own(tensor: Tensor) -> None:
    assert fit({"age": number(None)}, {"size": tensor}, classes=None).output == "size"


OUTPUTS: dict[str, tuple[dict[str, Tensor], dict[str, Any], str, str]] = {
    "two candidates": (
        {"p": P, "q": P},
        {},
        "model.output",
        "p and q could both be float32 [n, 3], a probability a class",
    ),
    "none": ({"ids": number(None, dtype="int64")}, {}, "model.output", "none of them is float32 [n, 3]"),
    "no such output": ({"p": P}, {"output": "q"}, "model.output", "has no output 'q'; it has p (float32 [n, 3])"),
    "not numbers": (
        {"p": P, "name": Tensor("string", (None,))},
        {"output": "name"},
        "model.output",
        "received the output 'name', string [n], expected float32 [n, 3], a probability a class",
    ),
    "class count": (
        {"p": number(None, 4)},
        {},
        "model.classes",
        "the output 'p' has 4 columns, expected 3, one a class (a, b, c): name the model's own with `classes`",
    ),
    "no such label": ({"p": P}, {"label_output": "name"}, "model.label_output", "has no output 'name'; it has p"),
    "a label of numbers": (
        {"p": P},
        {"label_output": "p"},
        "model.label_output",
        "received the output 'p', float32 [n, 3], expected string [n]",
    ),
    "no such signature": (
        {"p": P},
        {"signature": "serve"},
        "model.signature",
        "no signature 'serve'; it has serving_default",
    ),
    "no such core": ({"p": P}, {"core": {"signature": "x"}}, "model.core.signature", "no signature 'x'"),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_outputs_that_do_not_fit_are_refused_with_both_sides(case: str) -> None:
    outputs, options, path, words = OUTPUTS[case]
    with pytest.raises(SpecError) as refused:
        fit({"age": number(None)}, outputs, **options)
    assert refused.value.path == path
    assert words in str(refused.value)


def test_a_core_reads_some_of_the_features_and_no_text() -> None:
    inputs = {"age": number(None), "town": Tensor("string", (None,))}
    device = Signature("device", {"age": number(None)}, {"q": P})
    found = fit(inputs, features=("age", "town"), core={"signature": "device"}, others={"device": device})
    assert found.core is not None
    assert (found.core.output, [feed.input for feed in found.core.feeds or []]) == ("q", ["age"])
    with pytest.raises(
        SpecError, match=r"model.core: the input 'town' of 'serving_default' is string \[n\], expected numbers"
    ):
        fit(inputs, features=("age", "town"), core={"signature": "serving_default"})


def test_a_wrong_count_is_left_to_later_while_the_classes_are_unknown() -> None:
    assert fit({"age": number(None)}, {"p": number(None, 7)}, classes=[]).output == "p"
