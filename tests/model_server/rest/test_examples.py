"""Classify and Regress over JSON (json_tensor.cc)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ferryman.model_server.core import Refusal
from ferryman.model_server.rest.document import Document
from ferryman.model_server.rest.examples import classes, examples, values
from ferryman.serving.protocol import ClassificationResult, RegressionResult


def read(body: Any) -> Any:
    return examples(Document(body if isinstance(body, bytes) else json.dumps(body).encode()))


def test_features_take_the_kind_of_their_values() -> None:
    body = {
        "examples": [
            {"age": 20, "mix": [1, True, False], "rate": [8.0, 0.1], "name": ["a", {"b64": "/w=="}]},
            {"none": []},
        ]
    }
    first, second = read(body).example_list.examples
    feature = first.features.feature
    assert list(feature["age"].int64_list.value) == [20]
    assert list(feature["mix"].int64_list.value) == [1, 1, 0]
    assert list(feature["rate"].float_list.value) == [8.0, pytest.approx(0.1, rel=1e-7)]
    assert list(feature["name"].bytes_list.value) == [b"a", b"\xff"]
    assert second.features.feature["none"].WhichOneof("kind") is None


def test_a_context_is_beside_the_examples() -> None:
    found = read(b'{"context": {"city": "x", "inf": [NaN, -Infinity, 1e300]}, "examples": [{"a": 1}]}')
    assert found.WhichOneof("kind") == "example_list_with_context"
    context = found.example_list_with_context.context.features.feature
    assert context["city"].bytes_list.value[0] == b"x"
    assert str(list(context["inf"].float_list.value)) == "[nan, -inf, inf]"
    assert len(found.example_list_with_context.examples) == 1


def test_of_a_feature_that_stands_twice_the_last_counts() -> None:
    feature = read(b'{"examples": [{"a": "text", "a": 2}]}').example_list.examples[0].features.feature["a"]
    assert list(feature.int64_list.value) == [2]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": {}}', "JSON Value: {\n    \"examples\": {}\n} Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        ('{"examples": [[1]]}', "Example must be JSON object but got JSON Array"),
        ('{"context": 1, "examples": [[1]]}', "Example must be JSON object but got JSON Number"),
        ('{"examples": [{"a": [10, null]}]}', "Feature: a has element with unexpected JSON type: Null"),
        ('{"examples": [{"a": [[10]]}]}', "Feature: a has element with unexpected JSON type: Array"),
        ('{"examples": [{"a": {"t": 1}}]}', "Feature: a has element with unexpected JSON type: Object"),
        ('{"examples": [{"a": [10, 10.0]}]}', "Unexpected element type in feature: a expecting type: int64"),
        ('{"examples": [{"a": [1.5, "x"]}]}', "Unexpected element type in feature: a expecting type: float"),
        ('{"examples": [{"a": ["x", true]}]}', "Unexpected element type in feature: a expecting type: bytes"),
        (
            '{"examples": [{"a": [1, 9223372036854775808]}]}',
            "Feature: a has uint64_t element. Only int64_t is supported.",
        ),
        ('{"examples": [{"a": {"b64": "%"}}]}', "Unable to base64 decode"),
    ],
)
def test_examples_that_are_none_get_the_real_servers_words(body: str, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(body.encode())
    assert (caught.value.code, caught.value.text) == (3, text)


def test_results_are_laid_out_as_the_real_server_does() -> None:
    result = ClassificationResult()
    for label, score in (("car", 0.2), ("b\u00fcs", 1)):
        result.classifications.add().classes.add(label=label, score=score)
    result.classifications[0].classes.add(label="", score=float("nan"))
    assert classes(result).decode() == '{\n    "results": [[["car", 0.2], ["", NaN]], [["b\u00fcs", 1.0]]\n    ]\n}'
    numbers = RegressionResult()
    for value in (0.2, float("-inf")):
        numbers.regressions.add(value=value)
    assert values(numbers) == b'{\n    "results": [0.2, -Infinity]\n}'


def test_results_that_are_empty_are_refused() -> None:
    with pytest.raises(Refusal, match=r"^Cannot convert empty ClassificationResults to JSON$"):
        classes(ClassificationResult())
    with pytest.raises(Refusal, match=r"^Cannot convert empty RegressionResults to JSON$"):
        values(RegressionResult())
