"""JSON as it comes: what is accepted, and the words and places of errors, which were checked against RapidJSON 1.1.0."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.model_server.core import Refusal
from ferryman.model_server.rest import rapidjson
from ferryman.model_server.rest.document import LARGEST_EXACT, Document
from ferryman.model_server.rest.rapidjson import ParseError
from ferryman.model_server.rest.wording import shown

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_what_python_writes_is_read_back_by_the_fast_reader_and_by_the_exact_one(
    value: dict[str, Any], indent: int | None, escaped: bool
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    assert repr(Document(body).root) == repr(value)
    assert repr(rapidjson.parse(body)) == repr(value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The document is empty"),
        (b"  ", "The document is empty. at offset: 2"),
        (b"]", "The document is empty. at offset: 0"),
        (b"instances = [1]", "Invalid value. at offset: 0"),
        (b'{"a": }', "Invalid value. at offset: 6"),
        (b'{"a": [1,]}', "Invalid value. at offset: 9"),
        (b'{"a": nul}', "Invalid value. at offset: 9"),
        (b'{"a": tRue}', "Invalid value. at offset: 7"),
        (b'{"a": Na}', "Invalid value. at offset: 8"),
        (b'{"a": Infinit}', "Invalid value. at offset: 13"),
        (b'{"a": 1,}', "Missing a name for object member. at offset: 8"),
        (b"{1: 2}", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b": 2}', "Missing a comma or '}' after an object member. at offset: 8"),
        (b'{"a": 01}', "Missing a comma or '}' after an object member. at offset: 7"),
        (b'{"a": [1, 2}', "Missing a comma or ']' after an array element. at offset: 11"),
        (b'{"a": "\\u12g4"}', "Incorrect hex digit after \\u escape in string. at offset: 7"),
        (b'{"a": "\\ud83dx"}', "The surrogate pair in string is invalid. at offset: 7"),
        (b'{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "\n"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "b', "Missing a closing quotation mark in string. at offset: 8"),
        (b'{"a": "b\0"}', "Missing a closing quotation mark in string. at offset: 8"),
        (b'{"a": 1e400}', "Number too big to be stored in double. at offset: 6"),
        (b'{"a": ' + b"9" * 400 + b"}", "Number too big to be stored in double. at offset: 6"),
        (b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
        (b'{"a": 1e+}', "Miss exponent in number. at offset: 9"),
        (b'\xef\xbb\xbf{"a": }', "Invalid value. at offset: 9"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_error_has_the_words_and_the_place_of_the_real_servers_parser(body: bytes, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        Document(body)
    assert (caught.value.code, caught.value.text) == (3, f"JSON Parse error: {text}")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1]} and what follows it', [1]),
        (b'\xef\xbb\xbf{"a": 2}', 2),
        (b'{"a": 3}\0{', 3),
        (b'{"a": "\xff\xc3\xa4"}', "\udcff\u00e4"),
        (b'{"a": "\\udc80"}', "\udced\udcb2\udc80"),
        (b'{"a": 18446744073709551615}', 18446744073709551615),
        (b'{"a": 18446744073709551616}', 18446744073709551616.0),
        (b'{"a": -9223372036854775809}', -9223372036854775809.0),
        (b'{"a": [1e-400, -0.0, -0]}', [0.0, -0.0, 0]),
        (b'{"a": [Inf, -Infinity]}', [math.inf, -math.inf]),
        (b'{"a": 1, "a": 2}', 2),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_only_that_parser_takes_is_taken(body: bytes, value: Any) -> None:
    assert repr(Document(body).root["a"]) == repr(value)


def test_a_key_that_stands_twice_counts_where_it_stands_first() -> None:
    document = Document(b'{"instances": [{"x": 1, "x": 2}], "b": "\\": ", "b": 3}')
    document.count_once(document.root["instances"])
    assert document.root["b"] == '": '
    assert list(rapidjson.members(document.root["instances"][0])) == [("x", 1), ("x", 2)]
    assert document.root["instances"][0]["x"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a" : 2}',
        b'{"a": 1, "a"\t\r\n : 2}',
        b'{"\\\\": 0, "a": 1, "a": 2}',
        b'{"\\\\\\"": 0, "a": 1, "a": 2}',
        b'{"": ":", "a": 1, "a": 2, "b": "\\":"}',
        b'{"a": 1, "\\u0061" : 2, "b": " :"}',
    ],
    ids=lambda value: repr(value)[:40],
)
def test_equal_keys_are_found_however_they_are_written(body: bytes) -> None:
    document = Document(body)
    document.count_once()
    assert document.root["a"] == 1


def test_an_object_of_bytes_with_more_than_one_member_is_none() -> None:
    document = Document(b'{"x": {"b64": "QQ==", "b64": "Qg=="}}')
    document.count_once()
    assert list(rapidjson.members(document.root["x"])) == [("b64", "QQ=="), ("b64", "Qg==")]


def test_depth_costs_no_stack() -> None:
    deep = b"[" * 300_000 + b"]" * 300_000
    assert Document(b'{"instances": [1], "nested": ' + deep + b"}").root["instances"] == [1]
    with pytest.raises(ParseError, match=r"Missing a comma or ']' after an array element. at offset: 599999"):
        rapidjson.parse(deep[:-1])


def test_a_large_damaged_document_is_refused_without_a_long_search() -> None:
    with pytest.raises(Refusal, match=r"JSON Parse error: Invalid value. at offset: [1-9]"):
        Document(b'{"a": ' + b"[" * LARGEST_EXACT)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b'{"a":[1,2.0,{"b":null}],"c":"\\u00e9\\n/"}',
            '{\n    "a": [1, 2.0, {\n            "b": null\n        }],\n    "c": "\u00e9\\n/"\n}',
        ),
        (
            b"[1e21, 1e20, 1.5e-6, 1.5e-7, 12345678.9, -0.0]",
            "[1e21, 100000000000000000000.0, 0.0000015, 1.5e-7, 12345678.9, -0.0]",
        ),
        (b"[[], {}, true, NaN, 1]", "[[], {}, true, "),
        (b'"\x7f"', '"\x7f"'),
    ],
    ids=["nested", "numbers", "not finite", "plain"],
)
def test_a_value_is_shown_as_the_real_server_shows_it(body: bytes, text: str) -> None:
    assert shown(rapidjson.parse(body)) == text


def test_a_long_value_is_cut_after_256_bytes() -> None:
    assert shown(list(range(1000))) == "[" + ", ".join(map(str, range(67)))
