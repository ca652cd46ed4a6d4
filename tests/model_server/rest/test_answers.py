"""Tensors to JSON: layout and numbers (json_tensor.cc, RapidJSON's pretty writer)."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferryman.model_server.core import Refusal
from ferryman.model_server.rest.answers import answer
from ferryman.model_server.rest.numbers import FEW, floats
from ferryman.model_server.rest.strings import quoted

FLOATS = st.floats(width=32) | st.decimals(-(10**7), 10**7, places=3).map(lambda value: float(np.float32(value)))


def text(**outputs: Any) -> tuple[str, str]:
    """In rows and in columns."""
    arrays = {alias: np.asarray(value) for alias, value in outputs.items()}
    return answer(arrays, rows=True).decode(), answer(arrays, rows=False).decode()


def test_a_single_output_has_no_name_and_rows_stand_on_one_line() -> None:
    rows, columns = text(y=np.array([[1, 2], [3, 4]], np.int32))
    assert rows == '{\n    "predictions": [[1, 2], [3, 4]\n    ]\n}'
    assert columns == (
        '{\n    "outputs": [\n        [\n            1,\n            2\n        ],\n'
        "        [\n            3,\n            4\n        ]\n    ]\n}"
    )


def test_several_outputs_are_objects_in_the_order_of_their_names() -> None:
    rows, columns = text(word=np.array([b"a", b"b"], object), total=np.array([1.5, 2], np.float32))
    assert rows == (
        '{\n    "predictions": [\n        {\n            "total": 1.5,\n            "word": "a"\n        },\n'
        '        {\n            "total": 2.0,\n            "word": "b"\n        }\n    ]\n}'
    )
    assert columns == (
        '{\n    "outputs": {\n        "total": [\n            1.5,\n            2.0\n        ],\n'
        '        "word": [\n            "a",\n            "b"\n        ]\n    }\n}'
    )


def test_outputs_named_bytes_are_base64_in_objects_of_their_own() -> None:
    rows, columns = text(y_bytes=np.array([[b"\xff\0"]], object))
    assert rows == '{\n    "predictions": [[{\n                "b64": "/wA="\n            }]\n    ]\n}'
    assert json.loads(columns) == {"outputs": [[{"b64": "/wA="}]]}
    named = json.loads(text(y_bytes=np.array([b"ab"], object), z=np.array([1], np.int64))[0])
    assert named == {"predictions": [{"y_bytes": {"b64": "YWI="}, "z": 1}]}


def test_scalars_stand_alone_in_columns_and_have_no_rows() -> None:
    assert answer({"y": np.array(0.5, np.float32)}, rows=False) == b'{\n    "outputs": 0.5\n}'
    with pytest.raises(Refusal, match=r"^Tensor name: y has no shape information $"):
        answer({"y": np.array(0.5, np.float32)}, rows=True)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((0, 2), [], []),
        ((2, 0), [[], []], [[], []]),
        ((2, 0, 3), [[], []], [[], []]),
        ((1, 2, 0), [[[], []]], [[[], []]]),
    ],
)
def test_empty_tensors_are_empty_lists(shape: tuple[int, ...], rows: Any, columns: Any) -> None:
    found = text(y=np.zeros(shape, np.float32))
    assert [json.loads(each) for each in found] == [{"predictions": rows}, {"outputs": columns}]


def test_rows_must_be_as_many_in_every_output() -> None:
    with pytest.raises(Refusal, match=r"^Tensor name: b has inconsistent batch size: 3 expecting: 2$"):
        answer({"b": np.zeros(3, np.int32), "a": np.zeros(2, np.int32)}, rows=True)
    with pytest.raises(Refusal, match=r"^Cannot convert empty tensor map to JSON$"):
        answer({}, rows=True)


@pytest.mark.parametrize(("dtype", "name"), [("float16", "half"), ("uint16", "uint16"), ("complex64", "complex64")])
def test_a_dtype_without_json_is_refused_when_it_has_values(dtype: str, name: str) -> None:
    with pytest.raises(Refusal, match=f"^Failed to write JSON value for tensor type: {name}$"):
        answer({"y": np.ones(2, dtype)}, rows=True)
    assert json.loads(answer({"y": np.ones(0, dtype)}, rows=True)) == {"predictions": []}


@given(
    st.sampled_from(["int8", "int32", "int64", "uint8", "uint32", "uint64", "bool", "float32"]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(max_dims=4),
            elements={"allow_nan": False, "allow_infinity": False} if dtype == "float32" else None,
        )
    )
)
def test_python_reads_back_what_is_written(array: np.ndarray) -> None:
    for written, key in zip(text(y=array), ("predictions", "outputs"), strict=True):
        found = np.array(json.loads(written)[key], array.dtype)
        np.testing.assert_array_equal(found, array)


def expected(value: np.floating[Any]) -> str:
    """`%g` when it reads back as the same number, else all digits; a point when there is neither point nor exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    short = f"{float(value):.6g}"
    with np.errstate(over="ignore"):
        same = type(value)(float(short)) == value
    written = short if same else f"{float(value):.{9 if value.dtype == np.float32 else 17}g}"
    return written if "." in written or "e" in written else f"{written}.0"


@given(st.lists(FLOATS, max_size=3), st.sampled_from([np.float32, np.float64]), st.sampled_from([1, FEW]))
def test_numbers_have_six_digits_or_all_of_them(values: list[float], dtype: Any, times: int) -> None:
    array = np.array(values * times, dtype)
    assert [text.decode() for text in floats(array)] == [expected(value) for value in array]


def test_numbers_of_every_size_are_written_alike_in_bulk_and_one_by_one() -> None:
    random = np.random.default_rng(7)
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            array = (10.0 ** random.uniform(-46, 40, 20_000) * random.choice([-1, 1], 20_000)).astype(dtype)
            short = (10.0 ** random.integers(-20, 12, 20_000) * random.integers(-(10**6), 10**6, 20_000)).astype(dtype)
        for values in (array, short):
            assert [text.decode() for text in floats(values)] == [expected(value) for value in values]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.333333343"),
        (30, "30.0"),
        (9000000, "9e+06"),
        (1234567, "1234567.0"),
        (0.00003, "3e-05"),
        (9.9999999e-5, "0.0001"),
        (-0.0, "-0.0"),
        (1e20, "1e+20"),
        (1e-45, "1.4013e-45"),
    ],
)
@pytest.mark.parametrize("times", [1, 2 * FEW])
def test_a_number_is_written_as_the_real_server_writes_it(value: float, written: str, times: int) -> None:
    assert floats(np.array([value] * times, np.float32)) == [written.encode()] * times


@given(st.binary())
def test_text_is_escaped_where_json_wants_it_and_other_bytes_go_out_as_they_are(raw: bytes) -> None:
    assert json.loads(quoted(raw).decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") == raw


def test_escapes_are_those_of_the_real_server() -> None:
    assert quoted(b'\b\t\n\f\r"\\/\x1f\x7f\xff') == b'"\\b\\t\\n\\f\\r\\"\\\\/\\u001F\x7f\xff"'
    assert base64.b64decode(json.loads(text(y_bytes=np.array([b"\0"], object))[1])["outputs"][0]["b64"]) == b"\0"
