"""Bodies that are nothing but numbers in lists: to an array without an object for each of them.

Images and feature vectors make bodies of thousands of numbers, and objects for them cost four times what reading costs.
simdjson keeps what it has read in one piece of memory, flat; whether the lists are as long as they must be is seen by
the brackets and commas alone. What is different in any way is left to others: None.
"""

from __future__ import annotations

import importlib
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferryman.model_server.rest.tensor_values import DEEPEST, LIMITS

SHORTEST, LONGEST = 512, 4 << 20
"""Bytes of the bodies that are tried: a reader keeps ten times the size of its longest one."""

READERS = 4
"""That are kept."""

EXACT = 2.0**53
"""Whole numbers below it are exact as doubles."""

_NOT_STRUCTURE = b"0123456789+-.eE \t\n\r"


@dataclass(frozen=True, slots=True)
class Nested:
    """The values of a body `{"instances": NUMBERS}` or `{"inputs": NUMBERS}`."""

    key: str
    values: np.ndarray
    """Doubles."""

    whole: bool
    """Whether all are written without a point or an exponent."""

    def array(self, dtype: str) -> np.ndarray | None:
        """The values as an input of `dtype`; None when one is not as it must be."""
        if dtype in {"float32", "float64"}:
            return self.values.astype(dtype, copy=False)
        if dtype not in LIMITS or not self.whole:
            return None
        least, most = LIMITS[dtype]
        if self.values.min() < max(least, -EXACT) or self.values.max() > min(most, EXACT):
            return None
        return self.values.astype(np.int64).astype(dtype, copy=False)


class Readers:
    """simdjson's parsers, which are costly to make and serve one thread at a time."""

    def __init__(self) -> None:
        try:
            self._make: Any = importlib.import_module("simdjson").Parser
        except ImportError:  # there is no build for this system
            self._make = None
        self._free: deque[Any] = deque(maxlen=READERS)

    def read(self, body: bytes) -> tuple[str, np.ndarray] | None:
        """The key of a body of one key, and its numbers in order; None when there is anything else in it."""
        if self._make is None:
            return None
        try:
            reader = self._free.pop()
        except IndexError:
            reader = self._make()
        try:
            return _numbers(reader.parse(body))
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, MemoryError):
            return None
        finally:
            self._free.append(reader)


def _numbers(root: Any) -> tuple[str, np.ndarray]:
    key = "instances" if "instances" in root else "inputs"
    return key, np.frombuffer(root[key].as_buffer(of_type="d"), np.float64)


_readers = Readers()


def nested(body: bytes) -> Nested | None:
    """What a body of one key holds; None when it is another, or may have errors."""
    if not SHORTEST <= len(body) <= LONGEST or body[:1] != b"{" or body.count(b'"') != 2:
        return None
    found = _readers.read(body)
    shape = _shape(body) if found else None
    if found is None or shape is None or not math.prod(shape) == found[1].size > 0:
        return None
    key, values = found
    whole = b"." not in body and body.count(b"e") == key.count("e") and b"E" not in body
    return Nested(key, values.reshape(shape), whole)


def _shape(body: bytes) -> tuple[int, ...] | None:
    """The sizes of the lists of a valid body; None when lists of one depth differ in size."""
    structure = body.translate(None, _NOT_STRUCTURE)
    part = structure[structure.index(b"[") : structure.rindex(b"]") + 1]
    depth = len(part) - len(part.lstrip(b"["))
    if depth > DEEPEST:
        return None
    sizes, unit = list[int](), b""
    for level in range(1, depth + 1):
        # The first list of this depth is as long as all must be.
        end = part.find(b"]" * level)
        first = part[depth - level : end + level] if end > 0 else b""
        sizes.append((len(first) - 1) // (len(unit) + 1))
        unit = b"[" + b",".join([unit] * sizes[-1]) + b"]"
        if first != unit:
            return None
    return tuple(reversed(sizes)) if unit == part else None
