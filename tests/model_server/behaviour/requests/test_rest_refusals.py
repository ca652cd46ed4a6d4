"""REST: the words of every refusal of a predict request."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rest_predictions import ask, refused
from rests_on import rests_on
from serving_client import Client

TENSORS = "util/json_tensor.cc"
FILL = f"{TENSORS}:FillPredictRequestFromJson"
ROWS = f"{TENSORS}:FillTensorMapFromInstancesList"
COLUMNS = f"{TENSORS}:FillTensorMapFromInputsMap"
ITEM = f"{TENSORS}:AddInstanceItem"
NESTED = f"{TENSORS}:FillTensorProto"
VALUE = f"{TENSORS}:AddValueToTensor"


PARSE_ERRORS = [
    (b"", "The document is empty"),
    (b" ", "The document is empty. at offset: 1"),
    (b"\0", "The document is empty. at offset: 0"),
    (b"}", "The document is empty. at offset: 0"),
    (b"instances = [1, 2]", "Invalid value. at offset: 0"),
    (b"{", "Missing a name for object member. at offset: 1"),
    (b"{instances: 1}", "Missing a name for object member. at offset: 1"),
    (b"{'instances': [1]}", "Missing a name for object member. at offset: 1"),
    (b'{"instances" [1]}', "Missing a colon after a name of object member. at offset: 13"),
    (b'{"instances": [1}', "Missing a comma or ']' after an array element. at offset: 16"),
    (b'{"instances": [1 2]}', "Missing a comma or ']' after an array element. at offset: 17"),
    (b'{"instances": [01]}', "Missing a comma or ']' after an array element. at offset: 16"),
    (b'{"instances": [1,]}', "Invalid value. at offset: 17"),
    (b'{"instances": [1],}', "Missing a name for object member. at offset: 18"),
    (b'{"instances": [1]', "Missing a comma or '}' after an object member. at offset: 17"),
    (b'{"a": 1 "b": 2}', "Missing a comma or '}' after an object member. at offset: 8"),
    (b'{"instances": [tru]}', "Invalid value. at offset: 18"),
    (b'{"instances": [nan]}', "Invalid value. at offset: 16"),
    (b'{"instances": [+1]}', "Invalid value. at offset: 15"),
    (b'{"instances": [-]}', "Invalid value. at offset: 16"),
    (b'{"instances": [.5]}', "Invalid value. at offset: 15"),
    (b'{"instances": [1.]}', "Miss fraction part in number. at offset: 17"),
    (b'{"instances": [1e]}', "Miss exponent in number. at offset: 17"),
    (b'{"instances": [1e400]}', "Number too big to be stored in double. at offset: 15"),
    (b'{"instances": ["a]}', "Missing a closing quotation mark in string. at offset: 19"),
    (b'{"instances": ["\\x"]}', "Invalid escape character in string. at offset: 16"),
    (b'{"instances": ["a\nb"]}', "Invalid escape character in string. at offset: 17"),
    (b'{"instances": ["\\u12G4"]}', "Incorrect hex digit after \\u escape in string. at offset: 16"),
    (b'{"instances": ["\\ud800"]}', "The surrogate pair in string is invalid. at offset: 16"),
]
"""Body -> text, as RapidJSON 1.1.0 says it with the flags that ParseJson gives it (tried with that library)."""


@rests_on(f"{TENSORS}:ParseJson")
@pytest.mark.parametrize(("body", "text"), PARSE_ERRORS, ids=[str(body) for body, _ in PARSE_ERRORS])
def test_what_is_no_json_is_refused_with_the_place(served: Client, body: bytes, text: str) -> None:
    refused(ask(served, body), f"JSON Parse error: {text}")


@rests_on(FILL)
def test_json_is_read_before_the_model_is_looked_up(served: Client) -> None:
    refused(ask(served, b"", model="nobody"), "JSON Parse error: The document is empty")
    refused(ask(served, {"instances": [1]}, model="nobody"), "Servable not found for request: Latest(nobody)", 404)
    refused(ask(served, {}, model="m/labels/old"), "Unrecognized servable version label: old")
    refused(ask(served, {}), "Missing 'inputs' or 'instances' key")


@rests_on("model_servers/http_rest_api_handler.cc:HttpRestApiHandler::GetInfoMap")
def test_an_unknown_signature_is_refused_in_other_words_than_over_grpc(served: Client) -> None:
    refused(ask(served, {"instances": [1]}, "nope"), 'Serving signature name: "nope" not found in signature def')


def shown(document: Any) -> str:
    """A document without nested objects as a refusal shows it: four blanks a level, lists on one line."""
    if not isinstance(document, dict):
        return json.dumps(document)
    return "{\n" + ",\n".join(f'    "{key}": {json.dumps(value)}' for key, value in document.items()) + "\n}"


DOCUMENTS: list[tuple[Any, str]] = [
    ([1], "Is not object"),
    ("text", "Is not object"),
    (None, "Is not object"),
    (
        {"signature_name": 5, "instances": [1.5]},
        "not formatted correctly. 'signature_name' key must be a string value.",
    ),
    (
        {"instances": [1], "inputs": [1]},
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    ({"instances": 5.5}, "Expecting 'instances' to be an list/array"),
    ({"instances": "text"}, "Expecting 'instances' to be an list/array"),
    ({"instances": []}, "No values in 'instances' array"),
]


@rests_on(FILL, f"{TENSORS}:FillSignature", f"{TENSORS}:JsonValueToDebugString")
@pytest.mark.parametrize(("document", "text"), DOCUMENTS, ids=[str(document) for document, _ in DOCUMENTS])
def test_a_document_of_another_form_is_refused_and_shown(served: Client, document: Any, text: str) -> None:
    refused(ask(served, json.dumps(document)), f"JSON Value: {shown(document)} {text}")


@rests_on(f"{TENSORS}:JsonValueToDebugString")
def test_a_long_document_is_shown_up_to_the_value_that_passes_256_bytes(served: Client) -> None:
    pad = [1000.5 + number for number in range(60)]
    seen = ", ".join(str(1000.5 + number) for number in range(28))
    head = f'JSON Value: {{\n    "instances": 5,\n    "pad": [{seen}'
    refused(ask(served, {"instances": 5, "pad": pad}), f"{head} Expecting 'instances' to be an list/array")


ELEMENT = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "

INSTANCES: list[tuple[Any, str, str]] = [
    (["x", 1], "", ELEMENT.format(0) + 'JSON Value: "x" Type: String is not of expected type: float'),
    ([1, None], "", ELEMENT.format(1) + "JSON Value: null Type: Null is not of expected type: float"),
    ([True], "", ELEMENT.format(0) + "JSON Value: true Type: True is not of expected type: float"),
    ([[1, 2], [3]], "", ELEMENT.format(1) + "Expecting tensor size: 2 but got: 1"),
    ([[1, 2, 3, 4], [[1, 2], [3, 4]]], "", ELEMENT.format(1) + "Expecting shape [4] but got: [2,2]"),
    ([1, [1]], "", ELEMENT.format(1) + "Expecting shape [] but got: [1]"),
    ([[1, [2]]], "", ELEMENT.format(0) + "Encountered list at unexpected level: 1 expected < 1"),
    (
        [[[1], [2, 3]]],
        "",
        ELEMENT.format(0) + "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
    ),
    (
        [[[1], 2]],
        "",
        ELEMENT.format(0) + "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    ([[{"z": 1}]], "", ELEMENT.format(0) + 'JSON Value: {\n    "z": 1\n} Type: Object is not of expected type: float'),
    (
        [{"z": 1}],
        "",
        "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: z",
    ),
    (
        [{"x": 1}, {"x": "y"}],
        "",
        "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "y" Type: String is not of expected type: float',
    ),
    (
        [{"a": 1}],
        "two",
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
    ),
    ([{}], "", "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: x"),
    ([{"x": 1}, 2], "", "Expecting object but got list at item 1 of input list"),
    ([1, {"x": 2}], "", "Expecting value/list but got object at item 1 of input list"),
    (
        [1, 2],
        "two",
        "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
        "tensorinfo_map",
    ),
]


@rests_on(ROWS, ITEM, NESTED, VALUE)
@pytest.mark.parametrize(
    ("instances", "signature", "text"), INSTANCES, ids=[f"{given} {name}" for given, name, _ in INSTANCES]
)
def test_rows_that_do_not_fit_are_refused_with_the_element(
    served: Client, instances: Any, signature: str, text: str
) -> None:
    refused(ask(served, {"instances": instances}, signature), text)


INPUTS: list[tuple[Any, str, str]] = [
    ("x", "", 'JSON Value: "x" Type: String is not of expected type: float'),
    (None, "", "JSON Value: null Type: Null is not of expected type: float"),
    ([1, "y"], "", 'JSON Value: "y" Type: String is not of expected type: float'),
    ([[1, 2], [3]], "", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ([1, [2]], "", "Encountered list at unexpected level: 1 expected < 1"),
    ({}, "", "Missing named input: x in 'inputs' object."),
    ({"a": [1]}, "two", "Missing named input: b in 'inputs' object."),
    (
        [1],
        "two",
        "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
        "tensorinfo_map",
    ),
]


@rests_on(COLUMNS, NESTED, VALUE)
@pytest.mark.parametrize(("inputs", "signature", "text"), INPUTS, ids=[f"{given} {name}" for given, name, _ in INPUTS])
def test_columns_that_do_not_fit_are_refused(served: Client, inputs: Any, signature: str, text: str) -> None:
    refused(ask(served, {"inputs": inputs}, signature), text)


@rests_on(VALUE, ITEM, f"{TENSORS}:AddSingleValueAndAdvance")
def test_a_dtype_that_json_cannot_hold_is_unimplemented_in_columns_and_invalid_in_rows(served: Client) -> None:
    text = "Conversion of JSON Value: 1 to type: half"
    refused(ask(served, {"inputs": [1]}, "copy_float16"), text, 501)
    row = f"Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: {text}"
    refused(ask(served, {"instances": [1]}, "copy_float16"), row)


@rests_on("model_servers/http_server.cc:ToHTTPStatusCode")
def test_what_a_model_finds_wrong_is_a_bad_request(served: Client) -> None:
    answer = ask(served, {"instances": [-1.0]}, "fails")
    assert answer.status == 400
    assert "x is not positive" in answer.body["error"]
    assert ask(served, {"instances": [0.5]}, "fails").body == {"predictions": [0.5]}


@rests_on("model_servers/http_server.cc:ToHTTPStatusCode")
def test_a_version_whose_variables_are_gone_is_a_bad_request(served: Client) -> None:
    answer = ask(served, {"instances": [1.0]}, model="hollow")
    assert answer.status == 400
    assert re.search("uninitialized|variable", answer.body["error"], re.IGNORECASE)
