"""YAML by the core rules of version 1.2, and texts that were written to harm."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from ferryman.errors import SpecError
from ferryman.spec.yaml import MAX_BYTES, read_scalar, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0123", 123),
        ("+12", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("0b11", "0b11"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-11-24", "2026-11-24"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        ("-.inf", -math.inf),
        (".Inf", math.inf),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_scalar_means_what_the_core_schema_says(text: str, value: Any) -> None:
    for found in (read_yaml(f"a: {text}")["a"], read_scalar(text)):
        assert found == value
        assert type(found) is type(value)


def test_what_is_not_a_number_is_read_as_one() -> None:
    assert math.isnan(read_scalar(".nan"))


@pytest.mark.parametrize(
    ("text", "value"), [("'12'", "12"), ('"no"', "no"), ("'null'", "null"), ("'it''s'", "it's"), ("|\n  1\n", "1\n")]
)
def test_quoted_and_block_text_stays_text(text: str, value: str) -> None:
    assert read_yaml(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("- 1\n- b", [1, "b"]),
        ("1: a", {"1": "a"}),
        ("é: {b: [~]}", {"é": {"b": [None]}}),
    ],
)
def test_documents_of_any_form_are_plain_data(text: str, value: Any) -> None:
    assert read_yaml(text) == value


def test_a_directive_for_yaml_1_1_changes_no_rule() -> None:
    assert read_yaml("%YAML 1.1\n---\na: no\nb: 0123\n") == {"a": "no", "b": 123}


def test_what_json_writes_in_two_escapes_is_one_character() -> None:
    assert read_yaml(json.dumps({"a😀": "b😀ü"})) == {"a😀": "b😀ü"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' stands already in line 1"),
        ("a: {b: 1, b: 2}", "line 1: the key 'b' stands already in line 1"),
        ("1: a\n'1': b", "line 2: the key '1' stands already in line 1"),
        ("a: &x 1\nb: *x", "line 1: anchors and aliases"),
        ("&x a: 1", "line 1: anchors and aliases"),
        ("&x {a: 1}", "line 1: anchors and aliases"),
        ("b: *unknown", "line 1: anchors and aliases"),
        ("*x : 1", "line 1: a key that is no plain text"),
        ("a: 1\nb: !!python/object/apply:os.system ['ls']", "line 2: the tag tag:yaml.org,2002:python/object/apply"),
        ("a: !!str 1", "line 1: the tag tag:yaml.org,2002:str is not read"),
        ("a: ! 1", "line 1: the tag ! is not read"),
        ("%TAG ! tag:x,2000:\n---\na: !foo 1", "line 3: the tag tag:x,2000:foo is not read"),
        ("a: 1\n<<: {b: 1}", "line 2: merge keys"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("? [a]\n: 1", "line 1: a key that is no plain text"),
        ("a: 1\nb: [1, 2", "line 2: not YAML: expected ',' or ']'"),
        ("a: b: c", "line 1: not YAML: mapping values are not allowed here"),
        ("\ta: 1", "line 1: not YAML: found character '\\t'"),
        ('a: 1\nb: "\\ude00\\ud83d"', "line 2: '\\ude00\\ud83d' has half of a surrogate pair"),
        ('"a\\ud83d": 1', "line 1: 'a\\ud83d' has half of a surrogate pair"),
        ("a: \x00", "not YAML: unacceptable character #x0000"),
        ("x" * (MAX_BYTES + 1), "received more than 1,000,000 bytes"),
    ],
)
def test_what_plain_data_do_not_need_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_yaml(text, "my.yaml")
    assert str(caught.value).startswith(f"my.yaml: {message}")


def test_a_text_that_would_grow_a_billionfold_is_refused_at_its_first_anchor() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{n}: &{n} [*{m}, *{m}]\n" for m, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(SpecError, match="line 1: anchors and aliases"):
        read_yaml(laughs)


def test_fifty_levels_are_read_and_more_are_refused() -> None:
    assert read_yaml("[" * 51 + "]" * 51)
    with pytest.raises(SpecError, match="nested deeper than 50 levels"):
        read_yaml("[" * 52 + "]" * 52)


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 100_000, "? " * 100_000, "- " * 100_000])
def test_endless_nesting_is_refused_soon_and_without_a_stack_overflow(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(SpecError):
        read_yaml(text)
    assert time.monotonic() - started < 10
