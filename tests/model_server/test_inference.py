"""Classify, Regress and MultiInference: what is checked, in which order, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.model_server import metrics
from ferryman.model_server.core import INVALID_ARGUMENT, NAMES, Refusal
from ferryman.model_server.inference import CLASSIFY, REGRESS, Checks, classify, multi_inference, regress
from ferryman.model_server.runtime.servable import Signature, TensorInfo
from ferryman.serving.protocol import Example, Input, MultiInferenceRequest, SignatureDefMap

EXAMPLES = {"inputs": TensorInfo("examples:0", "string", (-1,))}
LABELS = np.array([[b"cat", b"dog"], ["Küche".encode(), b""]], dtype=object)
SCORES = np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
VALUES = np.array([[2.5], [-0.0]], dtype=np.float32)


class Answering:
    """A version that answers what it is told to, and remembers what it was asked."""

    def __init__(self, outputs: Mapping[str, Mapping[str, np.ndarray]], inputs: Any = None, method: str = "") -> None:
        self.outputs = outputs
        self.asked: list[tuple[str, dict[str, list[bytes]], tuple[str, ...]]] = []
        self.signatures = {
            name: Signature(
                EXAMPLES if inputs is None else inputs,
                {alias: TensorInfo(f"{alias}:0", "float32") for alias in tensors},
                method,
            )
            for name, tensors in outputs.items()
        }

    @property
    def signature_defs(self) -> bytes:
        known = SignatureDefMap()
        for name, signature in self.signatures.items():
            known.signature_def[name].method_name = signature.method_name or "none"
        return bytes(known.SerializeToString())

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        return self.signatures[name]

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        name = signature_name or "serving_default"
        self.asked.append((name, {alias: array.tolist() for alias, array in inputs.items()}, tuple(output_filter)))
        return {alias: self.outputs[name][alias] for alias in output_filter}

    def close(self) -> None:
        """Nothing to free."""


def answering(**outputs: np.ndarray) -> Answering:
    return Answering({"serving_default": outputs})


def example(**features: float) -> Any:
    made = Example()
    for name, value in features.items():
        made.features.feature[name].float_list.value.append(value)
    return made


def two() -> Any:
    made = Input()
    made.example_list.examples.extend([example(x=1), example(x=2)])
    return made


def classes(result: Any) -> list[list[tuple[str, float]]]:
    return [[(c.label, c.score) for c in row.classes] for row in result.classifications]


def refused(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return NAMES[caught.value.code], caught.value.text


# What comes out


def test_classes_have_their_labels_and_scores_in_the_order_of_the_tensors() -> None:
    answer = classes(classify(answering(classes=LABELS, scores=SCORES), "", two()))
    assert answer == [[("cat", 0.25), ("dog", 0.75)], [("Küche", 1.0), ("", 0.0)]]


def test_scores_alone_have_no_labels_and_labels_alone_no_scores() -> None:
    assert classes(classify(answering(scores=SCORES), "", two())) == [[("", 0.25), ("", 0.75)], [("", 1.0), ("", 0.0)]]
    labelled = classes(classify(answering(classes=LABELS), "", two()))
    assert labelled == [[("cat", 0.0), ("dog", 0.0)], [("Küche", 0.0), ("", 0.0)]]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3), st.integers(0, 40), st.booleans(), st.booleans(), st.data())
def test_what_is_written_as_bytes_is_what_the_tensors_hold(
    rows: int, columns: int, labelled: bool, scored: bool, data: st.DataObject
) -> None:
    number = st.floats(width=32, allow_nan=False)
    scores = np.array(data.draw(st.lists(number, min_size=rows * columns, max_size=rows * columns)), np.float32)
    labels = data.draw(st.lists(st.text(max_size=200), min_size=rows * columns, max_size=rows * columns))
    tensors = {"scores": scores.reshape(rows, columns)} if scored or not labelled else {}
    if labelled:
        tensors["classes"] = np.array([*map(str.encode, labels), None], object)[:-1].reshape(rows, columns)
    input = Input()
    input.example_list.examples.extend([Example()] * rows)
    found = classes(classify(answering(**tensors), "", input))
    pairs = [
        (labels[n] if labelled else "", float(scores[n]) if "scores" in tensors else 0.0) for n in range(rows * columns)
    ]
    assert found == [pairs[row * columns : (row + 1) * columns] for row in range(rows)]


def test_regressions_are_the_values_of_one_or_two_dimensions() -> None:
    for values in (VALUES, VALUES[:, 0], np.asfortranarray(np.hstack([VALUES, VALUES]))[:, :1]):
        result = regress(answering(outputs=values), "", two())
        assert [regression.value for regression in result.regressions] == [2.5, 0.0]


def test_the_model_gets_each_example_as_it_was_sent_and_is_asked_for_the_outputs_alone() -> None:
    model = answering(classes=LABELS, scores=SCORES)
    classify(model, "", two())
    ((name, inputs, wanted),) = model.asked
    assert (name, wanted) == ("serving_default", ("classes", "scores"))
    assert [Example.FromString(text) for text in inputs["inputs"]] == [example(x=1), example(x=2)]


def test_the_context_is_joined_to_each_example_whose_own_features_win() -> None:
    model, input = answering(outputs=VALUES), Input()
    input.example_list_with_context.context.CopyFrom(example(c=7, x=9))
    input.example_list_with_context.examples.extend([example(x=1), example(y=2)])
    regress(model, "", input)
    joined = [Example.FromString(text) for text in model.asked[0][1]["inputs"]]
    assert joined == [example(c=7, x=1), example(c=7, x=9, y=2)]


# What is refused, and what is looked at first


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


# Several at once


def tasks(*wanted: tuple[str, str, str]) -> Any:
    request = MultiInferenceRequest(input=two())
    for model, signature, method in wanted:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    return request


def both() -> Answering:
    return Answering({"serving_default": {"scores": SCORES}, "value": {"outputs": VALUES}})


def test_each_task_is_answered_in_its_place_with_the_version_that_answered() -> None:
    before = metrics.counted("/tensorflow/serving/request_example_count_total")
    response = multi_inference(both(), 41, tasks(("m", "value", REGRESS), ("m", "", CLASSIFY)))
    first, second = response.results
    assert [regression.value for regression in first.regression_result.regressions] == [2.5, 0.0]
    assert classes(second.classification_result)[0] == [("", 0.25), ("", 0.75)]
    assert [r.model_spec.signature_name for r in response.results] == ["value", "serving_default"]
    assert {(r.model_spec.name, r.model_spec.version.value) for r in response.results} == {("m", 41)}
    assert metrics.counted("/tensorflow/serving/request_example_count_total") == before + 2


@pytest.mark.parametrize(
    ("wanted", "code", "text"),
    [
        ([("", "", CLASSIFY)], "INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        (
            [("m", "", CLASSIFY), ("n", "", CLASSIFY)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("m", "", CLASSIFY), ("m", "serving_default", REGRESS)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: serving_default",
        ),
        ([("m", "no", CLASSIFY)], "INVALID_ARGUMENT", "Requested signature not found in model graph: no"),
        ([("m", "", "predict")], "UNIMPLEMENTED", "Unsupported signature method_name: predict"),
        ([("m", "value", CLASSIFY)], "INVALID_ARGUMENT", "Expected classification signature outputs to contain"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused_before_any_runs(wanted: Any, code: str, text: str) -> None:
    model = both()
    told = refused(multi_inference, model, 41, tasks(*wanted))
    assert told[0] == code
    assert told[1].startswith(text)
    assert model.asked == []


# A real model


@pytest.fixture(scope="module")
def parsing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A SavedModel that parses tf.Examples: x and c are numbers; the value is 10 x + c."""
    import tensorflow as tf

    from ferryman.model_server.runtime.saved_model import SavedModel

    class Parsing(tf.Module):  # type: ignore[misc]
        def _value(self, examples: Any) -> Any:
            features = {name: tf.io.FixedLenFeature([], tf.float32) for name in ("x", "c")}
            parsed = tf.io.parse_example(examples, features)
            return 10 * parsed["x"] + parsed["c"]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])  # type: ignore[untyped-decorator]
        def value(self, inputs: Any) -> dict[str, Any]:
            return {"outputs": self._value(inputs)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])  # type: ignore[untyped-decorator]
        def sides(self, inputs: Any) -> dict[str, Any]:
            value = self._value(inputs)
            labels = tf.stack([tf.strings.as_string(value, precision=0), tf.fill(tf.shape(value), "rest")], axis=1)
            return {"classes": labels, "scores": tf.stack([value, -value], axis=1)}

    folder: Path = tmp_path_factory.mktemp("Küche und Bad") / "1"
    module = Parsing()
    tf.saved_model.save(module, str(folder), {"serving_default": module.value, "sides": module.sides})
    model = SavedModel(folder)
    yield model
    model.close()


def shared() -> Any:
    input = Input()
    input.example_list_with_context.context.CopyFrom(example(c=3))
    input.example_list_with_context.examples.extend([example(x=1), example(x=2, c=4)])
    return input


def test_a_real_model_parses_examples_with_their_context(parsing: Any) -> None:
    assert [regression.value for regression in regress(parsing, "", shared()).regressions] == [13.0, 24.0]
    answer = classes(classify(parsing, "sides", shared()))
    assert answer == [[("13", 13.0), ("rest", -13.0)], [("24", 24.0), ("rest", -24.0)]]


def test_a_feature_that_is_missing_is_refused_by_the_model_itself(parsing: Any) -> None:
    code, text = refused(regress, parsing, "", two())
    assert code == "INVALID_ARGUMENT"
    assert "Feature: c" in text
