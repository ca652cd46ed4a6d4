"""JSON values to arrays (json_tensor.cc)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferryman.model_server.core import Refusal
from ferryman.model_server.rest.columns import column
from ferryman.model_server.rest.document import Document
from ferryman.model_server.rest.tensor_values import fill, shape_of, tensor
from ferryman.model_server.rest.tensors import inputs, signature_name
from ferryman.model_server.runtime.servable import Signature, TensorInfo

FAILED = " of 'instances' list. Error: INVALID_ARGUMENT:"

DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool"]


def signature(**dtypes: str) -> Signature:
    return Signature({alias: TensorInfo(f"{alias}:0", dtype) for alias, dtype in dtypes.items()}, {})


def read(body: Any, **dtypes: str) -> dict[str, np.ndarray]:
    document = Document(body if isinstance(body, bytes) else json.dumps(body).encode())
    return inputs(document, signature(**dtypes), signature_name(document))[0]


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    return f"{caught.value.code} {caught.value.text}"


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_dims=4))
    )
)
def test_an_array_comes_back_bit_for_bit_in_columns_and_in_rows(array: np.ndarray) -> None:
    ways = {"inputs": array.tolist()} | ({"instances": array.tolist()} if array.ndim and len(array) else {})
    for key, value in ways.items():
        found = read({key: value}, x=array.dtype.name)["x"]
        # Below an empty list nothing says how many dimensions follow.
        shape = array.shape if array.size else shape_of(array.tolist())
        assert (found.dtype, found.shape) == (array.dtype, shape)
        np.testing.assert_array_equal(found.ravel(), array.ravel())


@given(st.lists(st.lists(st.text(), max_size=3), max_size=4))
def test_a_column_of_text_is_what_one_by_one_gives(texts: list[list[str]]) -> None:
    found = column(texts, "string", lax=False)
    if found is not None:
        values: list[Any] = []
        fill(texts, shape_of(texts), "string", values)
        np.testing.assert_array_equal(found, tensor(values, shape_of(texts), "string"))
    else:
        assert len({len(row) for row in texts}) > 1


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2.5], "float32", [1.0, 2.5]),
        ([2**24 + 1], "float32", [2.0**24]),
        ([1e39, -1e39, 1e-50], "float32", [np.inf, -np.inf, 0.0]),
        ([2**53 + 1, 2**63 - 1], "int64", [2**53 + 1, 2**63 - 1]),
        ([2**64 - 1, 0], "uint64", [2**64 - 1, 0]),
        ([300, -1], "uint8", [44, 255]),
        ([True, False], "bool", [True, False]),
        (
            ["a\0", "\u00e9", {"b64": "/wA="}, {"b64": " /w.. "}, {"b64": "/w"}],
            "string",
            [b"a\0", b"\xc3\xa9", b"\xff\0", b"\xff", b"\xff"],
        ),
        ({"b64": "YQ=="}, "string", b"a"),
        (7, "int32", 7),
        ([], "float16", []),
    ],
    ids=str,
)
def test_a_value_becomes_what_the_real_server_makes_of_it(values: Any, dtype: str, expected: Any) -> None:
    assert read({"inputs": values}, x=dtype)["x"].tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype", "kind", "wanted"),
    [
        ("true", "float32", "True", "float"),
        ("false", "int64", "False", "int64"),
        ("null", "float64", "Null", "double"),
        ('"two"', "float32", "String", "float"),
        ("1.5", "int32", "Number", "int32"),
        ("2147483648", "int8", "Number", "int8"),
        ("9223372036854775808", "int64", "Number", "int64"),
        ("-1", "uint64", "Number", "uint64"),
        ("4294967296", "uint32", "Number", "uint32"),
        ("1", "bool", "Number", "bool"),
        ("1", "string", "Number", "string"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_type(value: str, dtype: str, kind: str, wanted: str) -> None:
    body = f'{{"inputs": [{value}]}}'.encode()
    assert (
        refusal(lambda: read(body, x=dtype)) == f"3 JSON Value: {value} Type: {kind} is not of expected type: {wanted}"
    )


def test_one_truth_value_among_numbers_is_found() -> None:
    body = {"instances": [[1.5] * 100] * 5 + [[1.5] * 99 + [True]]}
    assert "JSON Value: true Type: True" in refusal(lambda: read(body, x="float32"))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"inputs": [[1, 2], [3]]}, "3 Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ({"inputs": [[1], [[2]]]}, "3 Encountered list at unexpected level: 2 expected < 2"),
        ({"inputs": [[1], 2]}, "3 JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ({"inputs": {"y": 1}}, "3 Missing named input: x in 'inputs' object."),
        (
            {"inputs": 1, "instances": [1]},
            '3 JSON Value: {\n    "inputs": 1,\n    "instances": [1]\n} '
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ({}, "3 Missing 'inputs' or 'instances' key"),
        ([1], "3 JSON Value: [1] Is not object"),
        (
            {"instances": {"x": 1}},
            '3 JSON Value: {\n    "instances": {\n        "x": 1\n    }\n} Expecting \'instances\' to be an list/array',
        ),
        ({"instances": []}, "3 JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
        (
            {"instances": [[1, 2], [3]]},
            "3 AT 1 FAILED: Expecting tensor size: 2 but got: 1",
        ),
        (
            {"instances": [[1, 2], [[3, 4]]]},
            "3 AT 1 FAILED: Expecting shape [2] but got: [1,2]",
        ),
        ({"instances": [1, {"x": 2}]}, "3 Expecting value/list but got object at item 1 of input list"),
        ({"instances": [{"x": 1}, [2]]}, "3 Expecting object but got list at item 1 of input list"),
        (
            {"instances": [{"x": 1}, {}]},
            "3 AT 1 of 'instances' list. JSON object: {} keys must be equal to: x",
        ),
        (
            {"instances": [{"y": 1}]},
            "3 AT 0 key: y FAILED: JSON object: does not have named input: y",
        ),
        (
            {"instances": [{"x": None}]},
            "3 AT 0 key: x FAILED: JSON Value: null Type: Null is not of expected type: float",
        ),
        (
            {"signature_name": ["s"], "instances": [1]},
            '3 JSON Value: {\n    "signature_name": ["s"],\n    "instances": [1]\n} '
            "not formatted correctly. 'signature_name' key must be a string value.",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_request_that_is_not_as_it_must_be_gets_the_real_servers_words(body: Any, text: str) -> None:
    assert refusal(lambda: read(body, x="float32")) == text.replace("3 AT", "3 Failed to process element:").replace(
        " FAILED:", FAILED
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"instances": [1]},
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map",
        ),
        (
            {"inputs": [1]},
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map",
        ),
        (
            {"instances": [{"a": 1}]},
            "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
        ),
    ],
    ids=["rows", "columns", "keys"],
)
def test_several_inputs_must_be_named(body: Any, text: str) -> None:
    assert refusal(lambda: read(body, a="int32", b="int32")) == f"3 {text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"b64": "%"}', "Unable to base64 decode"),
        ('{"b64": "YQ="}', "Unable to base64 decode"),
        ('{"b64": "YWJj="}', "Unable to base64 decode"),
        ('{"b64": "YWJjZ"}', "Unable to base64 decode"),
        ('{"b64": 1}', 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
    ],
)
def test_bytes_that_are_no_base64_are_refused(value: str, text: str) -> None:
    assert refusal(lambda: read(f'{{"inputs": [{value}]}}'.encode(), x="string")) == f"3 {text}"


@pytest.mark.parametrize(("dtype", "name"), [("float16", "half"), ("uint16", "uint16"), ("complex64", "complex64")])
def test_a_dtype_that_json_has_no_values_for_is_not_implemented(dtype: str, name: str) -> None:
    assert refusal(lambda: read({"inputs": [1]}, x=dtype)) == f"12 Conversion of JSON Value: 1 to type: {name}"


def test_a_signature_without_inputs_is_named() -> None:
    assert refusal(lambda: read({"inputs": 1, "signature_name": "s"})) == "3 Failed to get input map for signature: s"
    assert refusal(lambda: read({"inputs": 1})) == "3 Failed to get input map for signature: DEFAULT"


def test_of_a_key_that_stands_twice_the_first_is_a_column_and_rows_take_both() -> None:
    assert read(b'{"inputs": {"x": [1], "x": [2]}}', x="int32")["x"].tolist() == [1]
    # The values of both are read one after the other, and the tensor takes as many as it has room for.
    assert read(b'{"instances": [{"x": 1, "x": 2}, {"x": 3, "x": 4}]}', x="int32")["x"].tolist() == [1, 2]


def test_lists_deeper_than_an_array_can_be_are_refused() -> None:
    for depth in (65, 100_000):
        body = b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}"
        assert refusal(lambda body=body: read(body, x="float32")) == "3 tensor parsing error: x"  # type: ignore[misc]
    body = b'{"instances": [' + b"[" * 64 + b"]" * 64 + b"]}"
    assert refusal(lambda: read(body, x="float32")) == "3 tensor parsing error: x"
