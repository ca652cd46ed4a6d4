"""TensorFlow's DataTypes by numpy's names, without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferryman.serving.tensors import DTYPES, KINDS, NUMBERS

INTERNAL = {11: "qint8", 12: "quint8", 13: "qint32", 15: "qint16", 16: "quint16", 20: "resource", 21: "variant"}
"""Those that no request can hold (tensorflow/core/framework/types.proto)."""

TYPE_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
"""numpy's names of dtypes that C++ calls otherwise (tensorflow/core/framework/types.cc, DataTypeString)."""

REFERENCE = 100
"""What is added to the number of a dtype when a tensor is a reference to a variable."""


def name_of(number: int) -> str:
    """numpy's name of a DataType, or `string`; `invalid` for a number that is none."""
    base = number % REFERENCE
    return DTYPES.get(base) or INTERNAL.get(base, "invalid")


def number_of(name: str) -> int:
    """The DataType of numpy's name, 0 for one that has none."""
    return NUMBERS.get(name, 0)


def numpy_dtype(name: str) -> Any:
    """numpy's dtype of `name_of`'s name; None where no array can have it."""
    if name == "string":
        return np.dtype(object)
    kind = KINDS.get(name)
    return kind.dtype if kind else None
