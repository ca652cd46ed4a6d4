"""Tensors to the JSON of a Predict answer, in rows or in columns, laid out as the real server does.

Source: util/json_tensor.cc (MakeRowFormatJsonFromTensors, MakeColumnarFormatJsonFromTensors, AddTensorValues); RapidJSON
1.1.0, prettywriter.h: in rows lists stand on one line, in columns every value has its own.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from ferryman.model_server.rest.numbers import floats
from ferryman.model_server.rest.strings import quoted
from ferryman.model_server.rest.tensor_values import invalid
from ferryman.model_server.runtime.dtypes import TYPE_NAMES

INDENT = b"    "

WRITABLE = frozenset({"bool", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64"})
"""Dtypes that the real server writes, beside strings."""


def answer(outputs: Mapping[str, np.ndarray], *, rows: bool) -> bytes:
    """The body of an answer; Refusal with the real server's words when these tensors have none."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    return _rows(outputs) if rows else _columns(outputs)


def _rows(outputs: Mapping[str, np.ndarray]) -> bytes:
    size = _batch_size(outputs)
    level = 2 if len(outputs) == 1 else 3
    pieces = {
        alias: _on_one_line(texts(array, alias, level + array.ndim - 1), array.shape, keep=1)
        for alias, array in sorted(outputs.items())
    }
    if not size:
        inside = b""
    elif len(pieces) == 1:
        inside = b", ".join(*pieces.values()) + b"\n" + INDENT
    else:
        keys = [b"\n" + INDENT * 3 + quoted(alias.encode()) + b": " for alias in pieces]
        opened, closed = b"\n" + INDENT * 2 + b"{", b"\n" + INDENT * 2 + b"}"
        inside = b",".join(
            opened + b",".join(map(bytes.__add__, keys, row)) + closed for row in zip(*pieces.values(), strict=True)
        )
        inside += b"\n" + INDENT
    return b'{\n    "predictions": [%b]\n}' % inside


def _batch_size(outputs: Mapping[str, np.ndarray]) -> int:
    size = -1
    for alias, array in sorted(outputs.items()):
        if not array.ndim:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if size not in {-1, len(array)}:
            raise invalid(f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    return size


def _columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    level = 1 if len(outputs) == 1 else 2
    found = {
        alias: _on_lines(texts(array, alias, level + array.ndim), array.shape, level)
        for alias, array in sorted(outputs.items())
    }
    if len(found) == 1:
        (inside,) = found.values()
    else:
        members = (b"\n" + INDENT * 2 + quoted(alias.encode()) + b": " + text for alias, text in found.items())
        inside = b"{" + b",".join(members) + b"\n" + INDENT + b"}"
    return b'{\n    "outputs": %b\n}' % inside


def _on_one_line(pieces: list[bytes], shape: tuple[int, ...], keep: int) -> list[bytes]:
    """Lists of `pieces`, from the innermost dimension up to the first `keep` ones."""
    for depth in range(len(shape) - 1, keep - 1, -1):
        size, count = shape[depth], math.prod(shape[:depth])
        if size == 1:
            pieces = [b"[%b]" % piece for piece in pieces]
        else:
            pieces = [b"[%b]" % b", ".join(pieces[row * size : (row + 1) * size]) for row in range(count)]
    return pieces


def _on_lines(pieces: list[bytes], shape: tuple[int, ...], level: int) -> bytes:
    """A list of lists of `pieces`, each on a line of its own; `level` is that of the outermost."""
    for depth in range(len(shape) - 1, -1, -1):
        size, count = shape[depth], math.prod(shape[:depth])
        inner, outer = b"\n" + INDENT * (level + depth + 1), b"\n" + INDENT * (level + depth)
        if size:
            between, start, end = b"," + inner, b"[" + inner, outer + b"]"
            pieces = [start + between.join(pieces[row * size : (row + 1) * size]) + end for row in range(count)]
        else:
            pieces = [b"[]"] * count
    return pieces[0]


def texts(array: np.ndarray, alias: str, level: int) -> list[bytes]:
    """The JSON of every value of a tensor, in order; `level` is how deep they stand."""
    kind = array.dtype.kind
    if kind in "OSU":
        raw = [value if isinstance(value, bytes) else str(value).encode() for value in array.ravel().tolist()]
        return _bytes(raw, level) if alias.endswith("_bytes") else [quoted(value) for value in raw]
    if array.size and array.dtype.name not in WRITABLE:
        name = TYPE_NAMES.get(array.dtype.name, array.dtype.name)
        raise invalid(f"Failed to write JSON value for tensor type: {name}")
    if not array.size:
        return []
    if kind == "f":
        return floats(array)
    flat: Any = np.ascontiguousarray(array).ravel()
    return orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _bytes(raw: list[bytes], level: int) -> list[bytes]:
    start, end = b'{\n%b"b64": "' % (INDENT * (level + 1)), b'"\n%b}' % (INDENT * level)
    return [start + base64.b64encode(value) + end for value in raw]
