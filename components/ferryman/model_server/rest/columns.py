"""Lists in lists to an array in one go, without a step of Python for each number."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from ferryman.model_server.rest.tensor_values import DEEPEST
from ferryman.model_server.runtime.servable import TensorInfo

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


def columns(rows: list[dict[str, Any]], infos: Mapping[str, TensorInfo], lax: bool) -> dict[str, np.ndarray] | None:
    """The array of each input, of rows that have them all; None when something is not as it must be.

    A wide table is what many models take: columns of plain values are converted together, those of each dtype in one go.
    """
    plain = set(map(type, rows)) == {dict} and set(map(len, rows)) == {len(infos)}
    if not plain or infos.keys() != rows[0].keys():
        return None
    arrays: dict[str, np.ndarray] = {}
    try:
        for dtype, aliases in _alike(rows[0], infos).items():
            found = _matrix(map(itemgetter(*aliases), rows), (len(rows), len(aliases)), dtype, lax)
            if found is None:
                return None
            arrays.update(zip(aliases, found, strict=True))
        for alias in infos.keys() - arrays.keys():
            array = column([row[alias] for row in rows], infos[alias].dtype, lax)
            if array is None:
                return None
            arrays[alias] = array
    except KeyError:
        return None
    return arrays


def _alike(row: Mapping[str, Any], infos: Mapping[str, TensorInfo]) -> dict[str, list[str]]:
    """Dtype -> inputs of it that are plain values in `row`, where there are several."""
    alike: dict[str, list[str]] = {}
    for alias, info in infos.items():
        if type(row[alias]) is not list:
            alike.setdefault(info.dtype, []).append(alias)
    return {dtype: aliases for dtype, aliases in alike.items() if len(aliases) > 1}


def _matrix(rows: Iterable[tuple[Any, ...]], shape: tuple[int, int], dtype: str, lax: bool) -> np.ndarray | None:
    """The columns, one below the other, of rows of plain values."""
    flat = list(chain.from_iterable(rows))
    array = _texts(flat) if dtype == "string" else _numbers(flat, dtype, lax)
    return None if array is None else np.ascontiguousarray(array.reshape(shape).T)


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
        array[:] = list(map(str.encode, flat))
    except (TypeError, UnicodeEncodeError):
        return None
    return array
