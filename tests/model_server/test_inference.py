"""Classify and Regress: what comes out, of told answers and of a real model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answering import LABELS, SCORES, VALUES, answering, classes, example, refused, two
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.model_server.inference import classify, regress
from ferryman.model_server.runtime.servable import TensorInfo
from ferryman.serving.protocol import Example, Input


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
    ((fed, fetched),) = model.asked
    assert fetched == ("classes:0", "scores:0")
    assert {tensor: list(map(Example.FromString, texts)) for tensor, texts in fed.items()} == {
        "examples:0": [example(x=1), example(x=2)]
    }


def test_a_tensor_that_is_called_both_classes_and_scores_gives_the_labels_alone() -> None:
    model = answering(classes=LABELS, scores=SCORES)
    both = dict.fromkeys(("classes", "scores"), TensorInfo("classes:0", "string"))
    model.signatures["serving_default"] = replace(model.signatures["serving_default"], outputs=both)
    assert classes(classify(model, "", two())) == [[("cat", 0.0), ("dog", 0.0)], [("Küche", 0.0), ("", 0.0)]]
    assert model.asked[0][1] == ("classes:0",)


def test_the_context_is_joined_to_each_example_whose_own_features_win() -> None:
    model, input = answering(outputs=VALUES), Input()
    input.example_list_with_context.context.CopyFrom(example(c=7, x=9))
    input.example_list_with_context.examples.extend([example(x=1), example(y=2)])
    regress(model, "", input)
    joined = [Example.FromString(text) for text in model.asked[0][0]["examples:0"]]
    assert joined == [example(c=7, x=1), example(c=7, x=9, y=2)]


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
