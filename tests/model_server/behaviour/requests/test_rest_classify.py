"""REST: classify and regress, from features written as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rests_on import rests_on
from serving_client import Answered, Client

TENSORS = "util/json_tensor.cc"
FILL = f"{TENSORS}:FillClassifyRegressRequestFromJson"
FEATURE = f"{TENSORS}:AddValueToFeature"
EXAMPLE = f"{TENSORS}:MakeExampleFromJsonObject"
HANDLER = "model_servers/http_rest_api_handler.cc:HttpRestApiHandler"


def ask(served: Client, method: str, body: Any, signature: str = "", model: str = "m/versions/1") -> Answered:
    if isinstance(body, dict) and "signature_name" not in body:
        body = {"signature_name": signature or method, **body}
    return served.http("POST", f"/v1/models/{model}:{method}", body)


def refused(answer: Answered, text: str, status: int = 400) -> None:
    assert (answer.body, answer.status) == ({"error": text}, status)


EACH = pytest.mark.parametrize("method", ["classify", "regress"])


@rests_on(f"{TENSORS}:MakeJsonFromClassificationResult")
def test_classes_are_pairs_of_label_and_score_to_the_byte(served: Client) -> None:
    answer = ask(served, "classify", {"examples": [{"x": 1.5}, {"x": -0.25}]})
    assert answer.text == (
        '{\n    "results": [[["small", 15.0], ["large", -15.0]], [["small", -2.5], ["large", 2.5]]\n    ]\n}'
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


@rests_on(f"{TENSORS}:MakeJsonFromClassificationResult")
def test_missing_labels_are_empty_and_missing_scores_zero(served: Client) -> None:
    scores = ask(served, "classify", {"examples": [{"x": 1.5}]}, "classify_scores")
    names = ask(served, "classify", {"examples": [{"name": 'a"é'}]}, "classify_names")
    assert scores.text == '{\n    "results": [[["", 15.0], ["", -15.0]]\n    ]\n}'
    assert names.text == '{\n    "results": [[["a\\"é", 0.0]]\n    ]\n}'


@rests_on(f"{TENSORS}:MakeJsonFromRegressionResult")
def test_regressions_are_one_line_of_numbers_to_the_byte(served: Client) -> None:
    answer = ask(served, "regress", {"examples": [{"x": 1.5}, {"x": -0.25}, {"x": 0.033333333}]})
    assert answer.text == '{\n    "results": [15.0, -2.5, 0.333333313]\n}'
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


@rests_on(f"{TENSORS}:WriteDecimal", FEATURE)
def test_regressions_that_are_not_finite_are_written_bare(served: Client) -> None:
    body = b'{"signature_name": "regress", "examples": [{"x": NaN}, {"x": Infinity}, {"x": -1e39}]}'
    assert ask(served, "regress", body).text == '{\n    "results": [NaN, Infinity, -Infinity]\n}'


@rests_on(FEATURE, EXAMPLE)
@pytest.mark.parametrize(
    ("features", "value"),
    [
        ({"x": 2.0}, 20.0),
        ({"x": [2.0]}, 20.0),
        ({"whole": 3}, 3.0),
        ({"whole": True}, 1.0),
        ({"whole": False}, 0.0),
        ({"x": 1.0, "whole": [-4], "name": "never used"}, 6.0),
        ({"name": {"b64": "/w=="}}, 0.0),
        ({"unknown": [1, 2]}, 0.0),
        ({}, 0.0),
    ],
    ids=str,
)
def test_features_are_floats_whole_numbers_truths_texts_and_bytes(
    served: Client, features: dict[str, Any], value: float
) -> None:
    assert ask(served, "regress", {"examples": [features]}).body == {"results": [value]}


@rests_on(FEATURE)
def test_a_whole_number_is_no_float_feature(served: Client) -> None:
    answer = ask(served, "regress", {"examples": [{"x": 2}]})
    assert answer.status == 400
    assert "x" in answer.body["error"]


@rests_on(FILL)
def test_a_context_holds_features_for_all_examples(served: Client) -> None:
    body = {"context": {"x": 5.0, "whole": 1}, "examples": [{"x": 2.0}, {}]}
    assert ask(served, "regress", body).body == {"results": [21.0, 51.0]}


@rests_on(f"{HANDLER}::ProcessClassifyRequest", f"{HANDLER}::ProcessRegressRequest")
@pytest.mark.parametrize(("model", "value"), [("m", 100.0), ("m/versions/1", 10.0), ("m/labels/stable", 10.0)])
def test_version_and_label_are_taken_from_the_path(served: Client, model: str, value: float) -> None:
    body = {"examples": [{"x": 1.0}]}
    assert ask(served, "regress", body, model=model).body == {"results": [value]}
    assert ask(served, "classify", body, "classify_scores", model).body == {"results": [[["", value], ["", -value]]]}


DOCUMENTS: list[tuple[str, str]] = [
    ("", "JSON Parse error: The document is empty"),
    ("[]", "JSON Value: [] Is not object"),
    ("{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
    (
        '{"instances": [1]}',
        "JSON Value: {\n    \"instances\": [1]\n} When method is classify, key 'examples' is expected and was not found",
    ),
    (
        '{"signature_name": 5}',
        "JSON Value: {\n    \"signature_name\": 5\n} not formatted correctly. 'signature_name' key must be a string value.",
    ),
    ('{"examples": 5}', "JSON Value: {\n    \"examples\": 5\n} Expecting 'examples' value to be an list/array"),
    ('{"examples": []}', "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
    ('{"examples": [{}, 5]}', "Example must be JSON object but got JSON Number"),
    ('{"examples": [[]]}', "Example must be JSON object but got JSON Array"),
    ('{"context": null, "examples": [{}]}', "Example must be JSON object but got JSON Null"),
    ('{"examples": [{"x": null}]}', "Feature: x has element with unexpected JSON type: Null"),
    ('{"examples": [{"x": [[1]]}]}', "Feature: x has element with unexpected JSON type: Array"),
    ('{"examples": [{"x": {"b": 1}}]}', "Feature: x has element with unexpected JSON type: Object"),
    ('{"examples": [{"x": [1, 2.5]}]}', "Unexpected element type in feature: x expecting type: int64"),
    ('{"examples": [{"x": [1.5, 2]}]}', "Unexpected element type in feature: x expecting type: float"),
    ('{"examples": [{"x": ["a", true]}]}', "Unexpected element type in feature: x expecting type: bytes"),
    ('{"examples": [{"x": [{"b64": "aGk="}, 1]}]}', "Unexpected element type in feature: x expecting type: bytes"),
    ('{"examples": [{"x": {"b64": "!"}}]}', "Unable to base64 decode"),
    (
        '{"examples": [{"x": 9223372036854775808}]}',
        "Feature: x has uint64_t element. Only int64_t is supported.",
    ),
]


@EACH
@rests_on(FILL, EXAMPLE, FEATURE, f"{TENSORS}:IncompatibleFeatureKindError")
@pytest.mark.parametrize(("body", "text"), DOCUMENTS, ids=[body for body, _ in DOCUMENTS])
def test_a_document_that_holds_no_examples_is_refused(served: Client, method: str, body: str, text: str) -> None:
    refused(served.http("POST", f"/v1/models/m:{method}", body), text)


@EACH
@rests_on(f"{HANDLER}::ProcessRequest")
def test_json_is_read_before_the_model_and_the_model_before_the_signature(served: Client, method: str) -> None:
    body = {"examples": [{"x": 1.0}]}
    refused(
        ask(served, method, "{", model="nobody"), "JSON Parse error: Missing a name for object member. at offset: 1"
    )
    refused(ask(served, method, body, model="nobody"), "Servable not found for request: Latest(nobody)", 404)
    refused(ask(served, method, body, model="m/labels/old"), "Unrecognized servable version label: old")
    refused(ask(served, method, body, "nope"), "No signature was found with the name: nope")


@EACH
@rests_on("servables/tensorflow/classifier.cc:PreProcessClassification")
def test_a_signature_of_another_kind_is_refused_with_the_words_of_grpc(served: Client, method: str) -> None:
    answer = ask(served, method, {"examples": [{"x": 1.0}]}, "two")
    refused(answer, "Expected one input Tensor.")
    other = ask(served, method, json.dumps({"examples": [{"x": 1.0}]}))
    kind = "classification" if method == "classify" else "regression"
    assert other.status == 400
    assert other.body["error"].startswith(f"No {kind} inputs found in SignatureDef: ")
