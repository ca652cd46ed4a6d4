"""REST: how values of every dtype are read and written, to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rests_on import rests_on
from serving_client import Answered, Client

TENSORS = "util/json_tensor.cc"
DECIMAL = f"{TENSORS}:WriteDecimal"
VALUE = f"{TENSORS}:AddValueToTensor"
OUT = f"{TENSORS}:AddSingleValueAndAdvance"
BASE64 = f"{TENSORS}:JsonDecodeBase64Object"
NESTED = f"{TENSORS}:FillTensorProto"


def echoed(served: Client, signature: str, value: str | bytes) -> Answered:
    """The answer to one row that is `value` as written."""
    written = value.encode() if isinstance(value, str) else value
    body = b'{"signature_name": "%s", "instances": [%s]}' % (signature.encode(), written)
    return served.http("POST", "/v1/models/m:predict", body)


def prediction(answer: Answered) -> bytes:
    """The only row of an answer, as written."""
    assert answer.status == 200, answer.text
    return answer.raw.removeprefix(b'{\n    "predictions": [').removesuffix(b"\n    ]\n}")


FLOATS = [
    ("1", "1.0"),
    ("0.2", "0.2"),
    ("-0.0", "-0.0"),
    ("-0", "0.0"),
    ("100000", "100000.0"),
    ("1000000", "1e+06"),
    ("1234567", "1234567.0"),
    ("9000000", "9e+06"),
    ("16777217", "16777216.0"),
    ("123456789", "123456792.0"),
    ("10000000000", "1e+10"),
    ("0.00003", "3e-05"),
    ("0.333333333333", "0.333333343"),
    ("0.6666666666666", "0.666666687"),
    ("123456.7", "123456.703"),
    ("3.4028235e38", "3.40282347e+38"),
    ("1e39", "Infinity"),
    ("-1e39", "-Infinity"),
    ("1e-50", "0.0"),
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
    ("-Infinity", "-Infinity"),
    ("Inf", "Infinity"),
    ("-Inf", "-Infinity"),
]
"""Six digits where they read back as the same number, else nine; never the shortest that would do."""

DOUBLES = [
    ("1", "1.0"),
    ("0.1", "0.1"),
    ("1000000", "1e+06"),
    ("1234567", "1234567.0"),
    ("123456789", "123456789.0"),
    ("0.123456789012345", "0.123456789012345"),
    ("1234567.5", "1234567.5"),
    ("123456789.25", "123456789.25"),
    ("9007199254740993", "9007199254740992.0"),
    ("1e300", "1e+300"),
    ("NaN", "NaN"),
    ("-Infinity", "-Infinity"),
]
"""Six digits where they do, else seventeen."""


@rests_on(DECIMAL, VALUE)
@pytest.mark.parametrize(("given", "written"), FLOATS)
def test_floats_are_written_with_six_digits_or_nine(served: Client, given: str, written: str) -> None:
    assert prediction(echoed(served, "copy_float32", given)) == written.encode()


@rests_on(DECIMAL, VALUE)
@pytest.mark.parametrize(("given", "written"), DOUBLES)
def test_doubles_are_written_with_six_digits_or_seventeen(served: Client, given: str, written: str) -> None:
    assert prediction(echoed(served, "copy_float64", given)) == written.encode()


@rests_on(VALUE, OUT)
@pytest.mark.parametrize(
    ("signature", "value"),
    [
        ("copy_int32", str(-(2**31))),
        ("copy_int32", str(2**31 - 1)),
        ("copy_uint8", "255"),
        ("copy_int64", "9007199254740993"),
        ("copy_int64", str(-(2**63))),
        ("copy_int64", str(2**63 - 1)),
        ("copy_uint32", str(2**32 - 1)),
        ("copy_uint64", str(2**64 - 1)),
        ("copy_bool", "true"),
        ("copy_bool", "false"),
    ],
)
def test_whole_numbers_keep_every_digit(served: Client, signature: str, value: str) -> None:
    assert prediction(echoed(served, signature, value)) == value.encode()


MISFITS = [
    ("copy_int32", "2.0", "2.0", "Number", "int32"),
    ("copy_int32", "1e2", "100.0", "Number", "int32"),
    ("copy_int32", "2147483648", "2147483648", "Number", "int32"),
    ("copy_int32", '"1"', '"1"', "String", "int32"),
    ("copy_int64", "9223372036854775808", "9223372036854775808", "Number", "int64"),
    ("copy_int64", "1e19", "10000000000000000000.0", "Number", "int64"),
    ("copy_int64", "0.5", "0.5", "Number", "int64"),
    ("copy_uint8", "0.5", "0.5", "Number", "uint8"),
    ("copy_uint32", "-1", "-1", "Number", "uint32"),
    ("copy_uint32", "4294967296", "4294967296", "Number", "uint32"),
    ("copy_uint64", "-1", "-1", "Number", "uint64"),
    ("copy_bool", "1", "1", "Number", "bool"),
    ("copy_bool", '"true"', '"true"', "String", "bool"),
    ("copy_float32", "false", "false", "False", "float"),
    ("copy_float64", '"1"', '"1"', "String", "double"),
    ("text_y", "5", "5", "Number", "string"),
    ("text_y", "true", "true", "True", "string"),
    ("text_y", "null", "null", "Null", "string"),
]


@rests_on(VALUE, f"{TENSORS}:TypeError", f"{TENSORS}:JsonTypeString")
@pytest.mark.parametrize(("signature", "given", "shown", "kind", "dtype"), MISFITS)
def test_a_value_that_the_dtype_does_not_hold_is_refused(
    served: Client, signature: str, given: str, shown: str, kind: str, dtype: str
) -> None:
    answer = echoed(served, signature, given)
    assert answer.status == 400
    assert answer.body["error"] == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        f"JSON Value: {shown} Type: {kind} is not of expected type: {dtype}"
    )


# Texts and bytes


@rests_on(VALUE, OUT)
@pytest.mark.parametrize(
    ("given", "written"),
    [
        (b'""', b'""'),
        ('"é😀"'.encode(), '"é😀"'.encode()),
        (b'"\\u00e9\\ud83d\\ude00"', '"é😀"'.encode()),
        (b'"\\/ \\" \\\\ \\b\\f\\n\\r\\t"', b'"/ \\" \\\\ \\b\\f\\n\\r\\t"'),
        (b'"\\u0000\\u001f\\u007f"', b'"\\u0000\\u001F\x7f"'),
        (b'"\xff\xc3"', b'"\xff\xc3"'),
        (b'"\\udc00"', b'"\xed\xb0\x80"'),
        (b'"<&\'>"', b'"<&\'>"'),
    ],
    ids=str,
)
def test_texts_come_back_as_bytes_with_only_the_escapes_that_json_needs(
    served: Client, given: bytes, written: bytes
) -> None:
    assert prediction(echoed(served, "text_y", given)) == written


@rests_on(OUT, f"{TENSORS}:IsNamedTensorBytes")
def test_an_output_whose_name_ends_in_bytes_is_written_in_base64(served: Client) -> None:
    rows = echoed(served, "text_y_bytes", b'"hi", "\xff", ""')
    each = '{\n            "b64": "%s"\n        }'
    assert (
        rows.text == '{\n    "predictions": [' + ", ".join(each % text for text in ("aGk=", "/w==", "")) + "\n    ]\n}"
    )
    column = served.http("POST", "/v1/models/m:predict", {"signature_name": "text_y_bytes", "inputs": "hi"})
    assert column.text == '{\n    "outputs": {\n        "b64": "aGk="\n    }\n}'


@rests_on(BASE64, f"{TENSORS}:IsValBase64Object")
@pytest.mark.parametrize("encoded", ["aGk=", "aGk", " aG k= "])
def test_bytes_are_read_from_base64_with_or_without_padding(served: Client, encoded: str) -> None:
    assert prediction(echoed(served, "text_y", json.dumps({"b64": encoded}))) == b'"hi"'


@rests_on(BASE64, NESTED)
@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"b64": "!!!!"}, "Unable to base64 decode"),
        ({"b64": "a-_b"}, "Unable to base64 decode"),
        ([{"b64": 5}], 'JSON Value: {\n    "b64": 5\n} not formatted correctly for base64 data'),
        (
            [{"b64": "aGk=", "c": "d"}],
            'JSON Value: {\n    "b64": "aGk=",\n    "c": "d"\n} not formatted correctly for base64 data',
        ),
        ([{}], "JSON Value: {} not formatted correctly for base64 data"),
    ],
    ids=str,
)
def test_what_is_no_base64_is_refused(served: Client, item: Any, text: str) -> None:
    answer = echoed(served, "text_y", json.dumps(item))
    assert answer.status == 400
    assert answer.body["error"] == f"Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: {text}"


@rests_on(NESTED)
def test_bytes_for_a_number_are_refused(served: Client) -> None:
    answer = echoed(served, "copy_float32", '{"b64": "aGk="}')
    assert answer.status == 400
    assert answer.body["error"] == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: {\n    "b64": "aGk="\n} Type: Object is not of expected type: float'
    )


@rests_on(f"{TENSORS}:MakeJsonFromStatus")
def test_a_refusal_that_repeats_broken_text_is_answered_all_the_same(served: Client) -> None:
    answer = echoed(served, "copy_float32", b'"\xff\\u0001"')
    assert answer.status == 400
    assert b'JSON Value: \\"\xff\\\\u0001\\" Type: String' in answer.raw
