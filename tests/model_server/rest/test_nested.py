"""Bodies of numbers alone are read as the value-by-value way reads them, or left to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.model_server.rest.columns import column
from ferryman.model_server.rest.nested import SHORTEST, nested

pytest.importorskip("simdjson")

NUMBERS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Any]] = {
    "floats": lambda random, shape: random.normal(size=shape).tolist(),
    "whole": lambda random, shape: random.integers(-100, 300, shape).tolist(),
    "large": lambda random, shape: random.integers(2**53, 2**62, shape).tolist(),
}


def body(values: Any, key: str = "instances") -> bytes:
    return padded(f'{{"{key}": {json.dumps(values)}}}')


def padded(text: str) -> bytes:
    return (text[:-1] + " " * SHORTEST + text[-1:]).encode()


@given(
    st.sampled_from(sorted(NUMBERS)),
    st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple),
    st.sampled_from(["float32", "float64", "uint8", "int8", "int32", "int64", "uint32", "uint64"]),
    st.sampled_from(["instances", "inputs"]),
)
def test_numbers_in_lists_are_the_array_that_the_other_way_makes(
    kind: str, shape: tuple[int, ...], dtype: str, key: str
) -> None:
    values = NUMBERS[kind](np.random.default_rng(7), shape)
    found = nested(body(values, key))
    assert found is not None
    assert found.key == key
    array, other = found.array(dtype), column(values, dtype, lax=False)
    if array is None:
        assert other is None or kind == "large"
        return
    assert other is not None
    assert (array.shape, array.dtype, array.tobytes()) == (other.shape, other.dtype, other.tobytes())


@pytest.mark.parametrize(
    "values",
    ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[[[1]], [2]]", "[[1, 2], 3, 4]", "[]", "[[], []]", "5", "[1, true]",
     "[1, null]", "[{}, 1]", "[1, NaN]", "[1e400]", "[18446744073709551616]", "[1[], [2]]", "[1,, 2]", "[01]"],
)  # fmt: skip
def test_what_is_no_rectangle_of_numbers_is_left_to_others(values: str) -> None:
    assert nested(padded(f'{{"instances": {values}}}')) is None


@pytest.mark.parametrize(
    "text",
    ['{"x": [1]}', '{"instances": ["a"]}', '{"instances": [1], "inputs": [1]}', '{"instances": [1]} {}', "[[1]]"],
)
def test_other_bodies_are_left_to_others(text: str) -> None:
    assert nested(padded(text)) is None


@pytest.mark.parametrize("number", ["1.0", "1e0", "1E0"])
def test_a_number_with_a_point_or_an_exponent_is_not_whole(number: str) -> None:
    found = nested(padded(f'{{"instances": [2, {number}]}}'))
    assert found is not None
    assert found.array("int32") is None
    assert found.array("float32") is not None
