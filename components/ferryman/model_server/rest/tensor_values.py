"""JSON values to one tensor, step by step as the real server goes, with its errors.

Source: util/json_tensor.cc (AddValueToTensor, GetDenseTensorShape, FillTensorProto, JsonDecodeBase64Object); absl,
strings/escaping.cc (Base64Unescape).
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT, UNIMPLEMENTED, Refusal
from ferryman.model_server.rest.wording import shown, type_name
from ferryman.model_server.runtime.dtypes import TYPE_NAMES

LIMITS = {
    **dict.fromkeys(("int32", "int16", "int8", "uint8"), (-(2**31), 2**31 - 1)),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
"""What a whole number may be. The smaller ones are cut to their bits later, without a word."""

DEEPEST = 64
"""Dimensions that numpy can hold; the real server's tensors have up to 254."""

_BASE64 = re.compile(rb"([A-Za-z0-9+/]*)([=.]*)")


def invalid(text: str) -> Refusal:
    """INVALID_ARGUMENT with a text."""
    return Refusal(INVALID_ARGUMENT, text)


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": TEXT}`, which stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def shape_of(value: Any) -> tuple[int, ...]:
    """The sizes of lists in lists, judged by the first of each."""
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def fill(value: Any, shape: tuple[int, ...], dtype: str, values: list[Any], level: int = 0) -> None:
    """Add the values of a tensor of `shape` to `values`; Refusal at the first that is not as its dtype and place want."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        values.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for entry in value:
        fill(entry, shape, dtype, values, level + 1)


def tensor(values: list[Any], shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The array of as many of `values` as `shape` holds."""
    values = values[: math.prod(shape)]
    if dtype == "string":
        flat = np.empty(len(values), object)
        flat[:] = values
        return flat.reshape(shape)
    if dtype in {"float32", "float64"}:
        with np.errstate(over="ignore"):
            return np.array(values, np.float64).astype(dtype).reshape(shape)
    if dtype in LIMITS:
        whole = np.array(values, np.uint64 if dtype == "uint64" else np.int64)
        return whole.astype(dtype).reshape(shape)
    return np.array(values, np.dtype(dtype)).reshape(shape)


def _scalar(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        if dtype != "string":
            raise type_error(value, dtype)
        return unescaped(value)
    if dtype == "string":
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
    elif dtype == "bool":
        if isinstance(value, bool):
            return value
    elif dtype in LIMITS:
        if type(value) is int and LIMITS[dtype][0] <= value <= LIMITS[dtype][1]:
            return value
    elif dtype in {"float32", "float64"}:
        if type(value) in {int, float}:
            return float(value)
    else:
        raise Refusal(
            UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {TYPE_NAMES.get(dtype, dtype)}"
        )
    raise type_error(value, dtype)


def type_error(value: Any, dtype: str) -> Refusal:
    """What a value of another type is answered with."""
    return invalid(
        f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {TYPE_NAMES.get(dtype, dtype)}"
    )


def unescaped(value: Any) -> bytes:
    """The bytes of `{"b64": TEXT}`; Refusal when it is no such object, or TEXT no base64."""
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    # absl skips white space, takes "." for "=", and does without either.
    text = b"".join(value["b64"].encode("utf-8", "surrogateescape").split())
    found = _BASE64.fullmatch(text)
    if not found or len(found[1]) % 4 == 1 or len(found[2]) not in {0, -len(found[1]) % 4}:
        raise invalid("Unable to base64 decode")
    return base64.b64decode(found[1] + b"=" * (-len(found[1]) % 4))
