"""Numbers in answers, as the real server writes them: six digits where they suffice, else 9 (float) or 17 (double).

Source: util/json_tensor.cc (WriteDecimal); absl, strings/str_cat.h: a float is `%g`.

Most are written in C by orjson: a decimal of up to 15 digits is a double whose shortest text has just these digits.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import orjson

_POWERS = 10.0 ** np.arange(0, 23)
"""Those that a double holds exactly."""

_FIXED = (1e-4, 1e6)
"""Magnitudes that `%g` writes without an exponent, whether with 6 digits or with 9."""

_SMALLEST = 1e-14
"""Below it the powers of ten that 9 digits need are no exact doubles."""

_SINGLE = struct.Struct("f")

FEW = 48
"""So many numbers are written one by one faster than together (measured: 1 microsecond each, 80 for a start together)."""


def floats(array: np.ndarray) -> list[bytes]:
    """The texts of float32 or float64 numbers, in order; NaN and infinities bare, as JSON has none."""
    flat = np.ascontiguousarray(array).ravel()
    if flat.size <= FEW:
        return _one_by_one(flat)
    size = np.abs(flat.astype(np.float64))
    with np.errstate(invalid="ignore"):
        fixed = (size >= _FIXED[0]) & (size < _FIXED[1])
        small = (size >= _SMALLEST) & (size < _FIXED[0])
    decimals, exponents, sure = _decimals(flat, np.where(fixed | small, size, 1.0))
    fixed = (fixed & sure) | (flat == 0)
    texts = _texts(np.where(fixed, np.where(flat == 0, flat, decimals), 0.0))
    # The small ones are written as their digits with a point after the first.
    small &= sure
    digits = np.rint(np.abs(decimals) * _POWERS[np.clip(8 - exponents, 0, 22)]) / 1e8
    small &= digits < 10.0  # what is rounded up to the next power of ten may need no exponent
    _put(texts, small, _with_exponents(np.copysign(digits[small], flat[small]), exponents[small]))
    rest = ~(fixed | small)
    _put(texts, rest, _one_by_one(flat[rest]))
    return texts


def _put(texts: list[bytes], places: np.ndarray, values: list[bytes]) -> None:
    for place, value in zip(np.flatnonzero(places).tolist(), values, strict=True):
        texts[place] = value


def _texts(doubles: np.ndarray) -> list[bytes]:
    return orjson.dumps(np.ascontiguousarray(doubles), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _decimals(flat: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Doubles whose shortest texts have the wanted digits, powers of ten of their first ones, and where both are sure."""
    exponents = np.floor(np.log10(size)).astype(np.intp)
    # Of 6 digits when that reads back as the same number. No tie is near: the digits of a float are farther apart.
    short = _rounded(size, 5 - exponents)
    same = short.astype(flat.dtype) == np.abs(flat)
    if flat.dtype != np.float32:
        return np.copysign(short, flat), exponents, same
    places = 8 - exponents
    scaled = size * _POWERS[np.clip(places, 0, 22)]
    # A ninth digit that may be a tie is left to exact arithmetic.
    tie = np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6
    return np.copysign(np.where(same, short, _rounded(size, places)), flat), exponents, same | ~tie


def _rounded(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values with so many places after the point, correctly rounded (places may be negative)."""
    up, down = _POWERS[np.clip(places, 0, 22)], _POWERS[np.clip(-places, 0, 22)]
    rounded: np.ndarray = np.rint(values * up / down) / up * down
    return rounded


def _with_exponents(digits: np.ndarray, powers: np.ndarray) -> list[bytes]:
    """Texts of digits times negative powers of ten."""
    if not digits.size:
        return []
    return [
        (text[:-2] if text.endswith(b".0") else text) + b"e-%02d" % -power
        for text, power in zip(_texts(digits), powers.tolist(), strict=True)
    ]


def _one_by_one(flat: np.ndarray) -> list[bytes]:
    single = flat.dtype == np.float32
    return [_number(value, single) for value in flat.tolist()]


def _number(value: float, single: bool) -> bytes:
    text = f"{value:.6g}"
    if not math.isfinite(value):
        return {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}[text]
    same = float(text)
    if (_SINGLE.unpack(_SINGLE.pack(same))[0] if single else same) != value:
        text = f"{value:.{9 if single else 17}g}"
    return (text if "." in text or "e" in text else f"{text}.0").encode()
