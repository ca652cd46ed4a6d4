"""REST: predict in rows and in columns, answers to the byte, and the words of every refusal."""

from __future__ import annotations

from typing import Any

import pytest
from rest_predictions import ask, refused
from rests_on import rests_on
from serving_client import Client

TENSORS = "util/json_tensor.cc"
ROWS = f"{TENSORS}:FillTensorMapFromInstancesList"
COLUMNS = f"{TENSORS}:FillTensorMapFromInputsMap"
ROW_OUT = f"{TENSORS}:MakeRowFormatJsonFromTensors"
COLUMN_OUT = f"{TENSORS}:MakeColumnarFormatJsonFromTensors"


# Answers


@rests_on(ROW_OUT, ROWS)
@pytest.mark.parametrize(
    ("instances", "text"),
    [
        ([1.0, 2.5], "[10.0, 25.0\n    ]"),
        ([1], "[10.0\n    ]"),
        ([[1.0, 2.0], [3.0, 4.0]], "[[10.0, 20.0], [30.0, 40.0]\n    ]"),
        ([[[1.0], [2.0]]], "[[[10.0], [20.0]]\n    ]"),
        ([[], []], "[[], []\n    ]"),
        ([{"x": 1.0}, {"x": 2}], "[10.0, 20.0\n    ]"),
    ],
    ids=str,
)
def test_rows_are_answered_in_rows_on_one_line(served: Client, instances: Any, text: str) -> None:
    answer = ask(served, {"instances": instances})
    assert (answer.text, answer.status) == (f'{{\n    "predictions": {text}\n}}', 200)


@rests_on(COLUMN_OUT, COLUMNS)
@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([1.0, 2.5], "[\n        10.0,\n        25.0\n    ]"),
        ([[1.0, 2.0]], "[\n        [\n            10.0,\n            20.0\n        ]\n    ]"),
        ({"x": [1.0]}, "[\n        10.0\n    ]"),
        ({"x": [1.0], "never": "looked at"}, "[\n        10.0\n    ]"),
        (2.5, "25.0"),
        ([], "[]"),
    ],
    ids=str,
)
def test_columns_are_answered_in_columns_with_one_value_a_line(served: Client, inputs: Any, text: str) -> None:
    answer = ask(served, {"inputs": inputs})
    assert (answer.text, answer.status) == (f'{{\n    "outputs": {text}\n}}', 200)


def in_rows(*names: str) -> str:
    """What two rows of `two` look like when its outputs come in this order."""
    values = {"sum": ("3.5", "5.5"), "double": ("4", "6")}
    rows = (
        "        {\n" + ",\n".join(f'            "{name}": {values[name][row]}' for name in names) + "\n        }"
        for row in range(2)
    )
    return '{\n    "predictions": [\n' + ",\n".join(rows) + "\n    ]\n}"


def in_columns(*names: str) -> str:
    """What columns of `two` look like when its outputs come in this order."""
    values = {"sum": ("3.5", "5.5"), "double": ("4", "6")}
    columns = (
        f'        "{name}": [\n            {values[name][0]},\n            {values[name][1]}\n        ]'
        for name in names
    )
    return '{\n    "outputs": {\n' + ",\n".join(columns) + "\n    }\n}"


@rests_on(ROW_OUT, COLUMN_OUT)
def test_several_outputs_are_objects_whose_keys_come_in_any_order(served: Client) -> None:
    rows = ask(served, {"instances": [{"a": 1.5, "b": 2}, {"b": 3, "a": 2.5}]}, "two")
    columns = ask(served, {"inputs": {"a": [1.5, 2.5], "b": [2, 3]}}, "two")
    assert rows.text in {in_rows("sum", "double"), in_rows("double", "sum")}
    assert columns.text in {in_columns("sum", "double"), in_columns("double", "sum")}


@rests_on(ROW_OUT)
def test_no_rows_are_an_empty_list(served: Client) -> None:
    answer = ask(served, {"instances": [1.0, 2.0]}, "empty")
    assert (answer.text, answer.status) == ('{\n    "predictions": []\n}', 200)


@rests_on(ROW_OUT)
def test_outputs_that_have_no_rows_or_not_as_many_cannot_be_answered_in_rows(served: Client) -> None:
    refused(ask(served, {"instances": [1.0]}, "scalar"), "Tensor name: y has no shape information ")
    uneven = ask(served, {"instances": [1.0, 2.0]}, "uneven")
    assert uneven.status == 400
    assert uneven.body["error"] in {
        "Tensor name: z has inconsistent batch size: 4 expecting: 2",
        "Tensor name: y has inconsistent batch size: 2 expecting: 4",
    }
    assert ask(served, {"inputs": [1.0, 2.0]}, "uneven").body["outputs"]["z"] == [1.0, 2.0, 1.0, 2.0]
    assert ask(served, {"inputs": [1.0, 2.0]}, "scalar").text == '{\n    "outputs": 3.0\n}'


@rests_on("model_servers/server_core.cc:ServerCore::ServableRequestFromModelSpec")
@pytest.mark.parametrize(
    ("model", "value"), [("m", 100.0), ("m/versions/1", 10.0), ("m/labels/stable", 10.0), ("m/labels/canary", 100.0)]
)
def test_without_version_or_label_the_highest_version_answers(served: Client, model: str, value: float) -> None:
    assert ask(served, {"instances": [1.0]}, model=model).body == {"predictions": [value]}


@rests_on("model_servers/http_rest_api_handler.cc:HttpRestApiHandler::GetInfoMap")
def test_an_empty_signature_name_is_the_default_one(served: Client) -> None:
    assert ask(served, {"signature_name": "", "instances": [1.0]}).body == {"predictions": [10.0]}


@rests_on(f"{TENSORS}:ParseJson")
@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1.0]} and more',
        b'{"instances": [1.0]}\0',
        b'\xef\xbb\xbf{"instances": [1.0]}',
        b' \r\n\t{ "instances" : [ 1.0 ] }\n',
        b'{"other": {"deep": [null]}, "instances": [1.0]}',
        b'{"instances": [1.0], "instances": [2.0]}',
        b'{"instances": [1.0], "instances"  : [2.0]}',
        b'{"instances": [1.0], "instances"\n: [2.0]}',
        b'{"instances": [1.0], "instances":[2.0], "a":":"}',
        b'{"instanc\\u0065s": [1.0]}',
        b'{"instances": [1.0e0]}',
    ],
    ids=str,
)
def test_the_first_json_object_counts_and_of_equal_keys_the_first(served: Client, body: bytes) -> None:
    answer = ask(served, body)
    assert (answer.status, answer.body) == (200, {"predictions": [10.0]})
