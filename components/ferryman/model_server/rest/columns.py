"""Lists in lists to an array in one go, without a step of Python for each number."""

from __future__ import annotations

import struct
from itertools import chain
from typing import Any

import numpy as np

from ferryman.model_server.rest.tensor_values import DEEPEST

_CODES = {
    **dict.fromkeys(("float32", "float64"), "d"),
    **dict.fromkeys(("int8", "int16", "int32", "uint8"), "i"),
    "int64": "q",
    "uint32": "I",
    "uint64": "Q",
}
"""Dtype -> how `struct` packs its values, which refuses what is none of them, but for truth values. Whole numbers become
doubles before they become floats, as in the real server: their bits are rounded twice."""


def column(values: Any, dtype: str, lax: bool) -> np.ndarray | None:
    """The array that `values` are; None when a value or a size is not as it must be, and has to be looked for.

    `lax`: whether there may be truth values, which are numbers for Python.
    """
    found = _flattened(values)
    if found is None:
        return None
    flat, shape = found
    array = _texts(flat) if dtype == "string" else _numbers(flat, dtype, lax)
    return array if array is None or len(shape) == 1 else array.reshape(shape)


def _flattened(values: Any) -> tuple[list[Any], tuple[int, ...]] | None:
    """The values of lists in lists in order, and the sizes; None when sizes differ or there are too many."""
    if type(values) is not list:
        return [values], ()
    shape = [len(values)]
    while values and type(values[0]) is list:
        size = len(values[0])
        if set(map(type, values)) != {list} or set(map(len, values)) != {size} or len(shape) == DEEPEST:
            return None
        values = list(chain.from_iterable(values))
        shape.append(size)
    return values, tuple(shape)


def _numbers(flat: list[Any], dtype: str, lax: bool) -> np.ndarray | None:
    if dtype == "bool":
        return np.array(flat, np.bool_) if {bool}.issuperset(map(type, flat)) else None
    if dtype not in _CODES or (lax and bool in set(map(type, flat))):
        return None
    try:
        packed = struct.pack(f"={len(flat)}{_CODES[dtype]}", *flat)
    except (struct.error, TypeError):
        return None
    return np.frombuffer(packed, _CODES[dtype]).astype(dtype, copy=False)


def _texts(flat: list[Any]) -> np.ndarray | None:
    array = np.empty(len(flat), object)
    try:
        array[:] = [text.encode() for text in flat]
    except (AttributeError, UnicodeEncodeError):
        return None
    return array
