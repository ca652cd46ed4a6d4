"""The inputs of a Predict request: rows (`instances`) or columns (`inputs`) to arrays.

Whole columns are converted in C; what that cannot do, or may not, is done value by value, with the real server's errors.
Source: util/json_tensor.cc (FillPredictRequestFromJson and what it calls).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferryman.model_server.core import Refusal, name_of
from ferryman.model_server.rest.columns import column, columns
from ferryman.model_server.rest.document import Document
from ferryman.model_server.rest.rapidjson import members
from ferryman.model_server.rest.tensor_values import (
    DEEPEST,
    fill,
    invalid,
    is_base64,
    shape_of,
    tensor,
)
from ferryman.model_server.rest.wording import shown
from ferryman.model_server.runtime.servable import Signature, TensorInfo

Arrays = dict[str, np.ndarray]


def signature_name(document: Document) -> str:
    """The signature that a request names, empty for the default; Refusal when it is no text."""
    if document.nested:
        return ""
    name = document.root.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(document.root)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def inputs(document: Document, signature: Signature, name: str) -> tuple[Arrays, bool]:
    """The arrays by alias, and whether they came as rows; Refusal with the real server's words."""
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    if (found := _nested(document, signature)) is not None:
        return found
    root = document.root
    if "instances" in root:
        if "inputs" in root:
            raise _wrong(root, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ")
        if not isinstance(root["instances"], list):
            raise _wrong(root, "Expecting 'instances' to be an list/array")
        if not root["instances"]:
            raise _wrong(root, "No values in 'instances' array")
        with np.errstate(over="ignore"):
            return _rows(document, signature.inputs), True
    if "inputs" not in root:
        raise invalid("Missing 'inputs' or 'instances' key")
    with np.errstate(over="ignore"):
        return _columns(document, signature.inputs), False


def _nested(document: Document, signature: Signature) -> tuple[Arrays, bool] | None:
    """What a body of numbers alone holds for a signature of one input."""
    if document.nested is None or len(signature.inputs) > 1:
        return None
    ((alias, info),) = signature.inputs.items()
    with np.errstate(over="ignore"):
        array = document.nested.array(info.dtype)
    return None if array is None else ({alias: array}, document.nested.key == "instances")


def _wrong(root: Any, text: str) -> Refusal:
    return invalid(f"JSON Value: {shown(root)} {text}")


# Rows


def _rows(document: Document, infos: Mapping[str, TensorInfo]) -> Arrays:
    rows = document.root["instances"]
    named = _is_object(rows[0])
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if not named:
        document.count_once()
        rows = document.root["instances"]
        alias = min(infos)
        array = column(rows, infos[alias].dtype, document.may_hold_truth_values())
        return {alias: array} if array is not None else _rows_exactly(rows, infos)
    if set(map(type, rows)) == {dict}:
        document.count_once(rows)
        rows = document.root["instances"]
        arrays = columns(rows, infos, document.may_hold_truth_values())
        if arrays is not None:
            return arrays
    return _rows_exactly(rows, infos)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _rows_exactly(rows: list[Any], infos: Mapping[str, TensorInfo]) -> Arrays:
    named, batch = _is_object(rows[0]), _Batch(infos)
    for number, row in enumerate(rows):
        if named and not _is_object(row):
            raise invalid(f"Expecting object but got list at item {number} of input list")
        if not named and _is_object(row):
            raise invalid(f"Expecting value/list but got object at item {number} of input list")
        if named:
            for alias, value in members(row):
                _add(
                    batch,
                    alias,
                    value,
                    f"Failed to process element: {number} key: {alias} of 'instances' list. Error: ",
                )
            if set(row) != set(infos):
                raise invalid(
                    f"Failed to process element: {number} of 'instances' list. JSON object: {shown(row)} keys must be "
                    f"equal to: {','.join(sorted(infos))}"
                )
        else:
            _add(batch, min(infos), row, f"Failed to process element: {number} of 'instances' list. Error: ")
    return batch.arrays(len(rows))


def _add(batch: _Batch, alias: str, value: Any, where: str) -> None:
    _check_depth(alias, shape_of(value), 1)
    try:
        batch.add(alias, value)
    except Refusal as error:
        raise invalid(f"{where}{name_of(error.code)}: {error.text}") from error


class _Batch:
    """The values of each input, row after row (AddInstanceItem)."""

    def __init__(self, infos: Mapping[str, TensorInfo]) -> None:
        self._infos = infos
        self._values: dict[str, list[Any]] = {}
        self._seen: dict[str, tuple[int, tuple[int, ...]]] = {}

    def add(self, alias: str, value: Any) -> None:
        """One row's value of an input; Refusal when it is not as its dtype and the rows before it want."""
        if alias not in self._infos:
            raise invalid(f"JSON object: does not have named input: {alias}")
        shape, values = shape_of(value), self._values.setdefault(alias, [])
        before = len(values)
        fill(value, shape, self._infos[alias].dtype, values)
        size = len(values) - before
        first_size, first_shape = self._seen.setdefault(alias, (size, shape))
        if size != first_size:
            raise invalid(f"Expecting tensor size: {first_size} but got: {size}")
        if shape != first_shape:
            raise invalid(f"Expecting shape {_bracketed(first_shape)} but got: {_bracketed(shape)}")

    def arrays(self, count: int) -> Arrays:
        """What the rows hold."""
        return {
            alias: tensor(values, (count, *self._seen[alias][1]), self._infos[alias].dtype)
            for alias, values in self._values.items()
        }


def _bracketed(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _check_depth(alias: str, shape: tuple[int, ...], more: int = 0) -> None:
    if len(shape) + more > DEEPEST:
        raise invalid(f"tensor parsing error: {alias}")


# Columns


def _columns(document: Document, infos: Mapping[str, TensorInfo]) -> Arrays:
    value = document.root["inputs"]
    document.count_once([value] if _is_object(value) else [])
    value, lax = document.root["inputs"], document.may_hold_truth_values()
    if not _is_object(value):
        if len(infos) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        alias = min(infos)
        return {alias: _one(alias, value, infos[alias].dtype, lax)}
    arrays = {}
    for alias in sorted(infos):
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = _one(alias, value[alias], infos[alias].dtype, lax)
    return arrays


def _one(alias: str, value: Any, dtype: str, lax: bool) -> np.ndarray:
    array = column(value, dtype, lax)
    if array is not None:
        return array
    shape, values = shape_of(value), list[Any]()
    _check_depth(alias, shape)
    fill(value, shape, dtype, values)
    return tensor(values, shape, dtype)
