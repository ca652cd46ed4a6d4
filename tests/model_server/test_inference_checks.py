"""Classify and Regress: what is refused, and what is looked at first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from answering import EXAMPLES, LABELS, SCORES, VALUES, Answering, answering, example, refused, two

from ferryman.model_server.inference import classify, regress
from ferryman.model_server.runtime.servable import CLASSIFY, REGRESS, Checks
from ferryman.serving.protocol import Input


def test_an_input_without_examples_is_empty_whatever_its_kind() -> None:
    listed, with_context = Input(), Input()
    listed.example_list.SetInParent()
    with_context.example_list_with_context.context.CopyFrom(example(x=1))
    for input in (Input(), listed, with_context):
        assert refused(regress, answering(outputs=VALUES), "", input) == ("INVALID_ARGUMENT", "Input is empty.")


@pytest.mark.parametrize("call", [classify, regress])
def test_a_signature_that_is_not_there_is_named_before_the_input_is_looked_at(call: Any) -> None:
    told = ("INVALID_ARGUMENT", "No signature was found with the name: other")
    assert refused(call, answering(outputs=VALUES), "other", Input()) == told


@pytest.mark.parametrize(
    ("call", "inputs", "outputs", "text"),
    [
        (classify, {}, ("scores",), "Expected one input Tensor."),
        (classify, {**EXAMPLES, "more": EXAMPLES["inputs"]}, ("scores",), "Expected one input Tensor."),
        (classify, EXAMPLES, ("a", "b", "scores"), "Expected one or two output Tensors, found 3"),
        (
            classify,
            {"x": EXAMPLES["inputs"]},
            ("scores",),
            "No classification inputs found in SignatureDef: method_name",
        ),
        (
            classify,
            EXAMPLES,
            ("total",),
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            "Signature was: method_name",
        ),
        (regress, {}, ("outputs",), "Expected one input Tensor."),
        (regress, EXAMPLES, ("outputs", "more"), "Expected one output Tensor."),
        (regress, {"x": EXAMPLES["inputs"]}, ("outputs",), "No regression inputs found in SignatureDef: method_name"),
        (regress, EXAMPLES, ("total",), "No regression outputs found in SignatureDef: method_name"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_before_the_input_is_looked_at(
    call: Any, inputs: Any, outputs: Sequence[str], text: str
) -> None:
    model = Answering({"serving_default": dict.fromkeys(outputs, SCORES)}, inputs)
    code, told = refused(call, model, "", Input())
    assert code == "INVALID_ARGUMENT"
    assert told.startswith(text)


@pytest.mark.parametrize(
    ("call", "outputs", "text"),
    [
        (classify, {"classes": LABELS[0]}, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        (classify, {"classes": SCORES}, "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        (classify, {"classes": LABELS[:1]}, "Expected classes output batch size of 2. Got: 1"),
        (classify, {"scores": SCORES[:, :, None]}, "Expected Tensor shape: [batch_size num_classes] but got [2,2,1]"),
        (classify, {"scores": SCORES.astype("i8")}, "Expected scores Tensor of DT_FLOAT. Got: DT_INT64"),
        (classify, {"scores": SCORES[[0, 0, 0]]}, "Expected scores output batch size of 2. Got: 3"),
        (
            classify,
            {"classes": LABELS, "scores": SCORES[:, :1]},
            "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        ),
        (
            regress,
            {"outputs": SCORES},
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
        ),
        (
            regress,
            {"outputs": np.float32(1)},
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
        ),
        (regress, {"outputs": VALUES[:1]}, "Input batch size did not match output batch size: 2 vs. 1"),
        (regress, {"outputs": VALUES.astype("f8")}, "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_in_the_words_of_the_real_server(
    call: Any, outputs: Any, text: str
) -> None:
    tensors = {alias: np.asarray(tensor) for alias, tensor in outputs.items()}
    assert refused(call, answering(**tensors), "", two()) == ("INVALID_ARGUMENT", text)


def test_a_label_that_is_no_text_is_one_clear_error() -> None:
    code, text = refused(classify, answering(classes=np.array([[b"\xff"], [b"a"]], object)), "", two())
    assert code == "INTERNAL"
    assert "UTF-8" in text


@pytest.fixture
def strict() -> Iterator[None]:
    Checks.method_names = True
    yield
    Checks.method_names = False


@pytest.mark.usefixtures("strict")
def test_the_method_name_is_compared_only_when_it_is_switched_on() -> None:
    scored = Answering({"serving_default": {"scores": SCORES}}, {}, REGRESS)
    told = f"Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}"
    assert refused(classify, scored, "", two()) == ("INVALID_ARGUMENT", told)
    assert len(regress(Answering({"serving_default": {"outputs": VALUES}}, None, REGRESS), "", two()).regressions) == 2
    Checks.method_names = False
    assert refused(classify, scored, "", two()) == ("INVALID_ARGUMENT", "Expected one input Tensor.")
