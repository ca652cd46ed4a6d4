"""Many whole numbers to and from protobuf's variable length, without a Python loop over them.

Source: Protocol Buffers, Encoding, "Base 128 Varints": seven bits a byte, lowest first; all bytes but the last have the
eighth bit set; negative numbers are those of 64 bits in two's complement, and take ten bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from google.protobuf.message import DecodeError

from ferryman.serving.protocol import TensorProto

LONGEST = 10
"""Bytes of one number."""

SMALL = 12
"""Numbers up to which protobuf's own lists are quicker than numpy: at most 120 bytes, whose length is one byte."""

PIECE = 1 << 16
"""Bytes or numbers that are worked on at once: what is needed beside them stays in the processor's cache."""

_LIMITS = np.uint64(1) << np.arange(7, 64, 7, dtype=np.uint64)
_INT64_VAL = 10 << 3 | 2


def decode(packed: bytes) -> np.ndarray:
    """The numbers as int64; DecodeError when a number is longer than ten bytes or has no end."""
    if len(packed) <= SMALL * LONGEST:
        message = TensorProto.FromString(bytes((_INT64_VAL, len(packed))) + packed)
        return np.array(message.int64_val, np.int64)
    return np.concatenate([_decoded(piece) for piece in _pieces(packed)])


def encode(numbers: np.ndarray) -> bytes:
    """The bytes of int64 or uint64 numbers, a flat array."""
    if len(numbers) <= SMALL:
        message = TensorProto(int64_val=numbers.astype(np.int64, copy=False).tolist())
        return bytes(message.SerializeToString()[2:])
    words = numbers.view(np.uint64)
    return b"".join(_encoded(words[start : start + PIECE]) for start in range(0, len(words), PIECE))


def _pieces(packed: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(packed):
        # To the end of the number that the cut would go through.
        end = next(
            (at for at in range(start + PIECE, start + PIECE + LONGEST) if packed[at - 1 : at] < b"\x80"),
            len(packed),
        )
        yield packed[start:end]
        start = end


def _decoded(packed: bytes) -> np.ndarray:
    octets = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(octets < 128)
    if len(ends) == len(octets):
        return octets.astype(np.int64)
    lengths = np.diff(ends, prepend=-1)
    if octets[-1] >= 128 or lengths.max() > LONGEST:
        raise DecodeError("a number without an end")
    starts = ends - lengths + 1
    shifts = (np.arange(len(octets)) - np.repeat(starts, lengths)).astype(np.uint64) * np.uint64(7)
    # The parts of a number have no bit in common: their sum is the number.
    return np.add.reduceat((octets & 127).astype(np.uint64) << shifts, starts).view(np.int64)


def _encoded(words: np.ndarray) -> bytes:
    if words.max() < 128:
        return words.astype(np.uint8).tobytes()
    lengths = np.searchsorted(_LIMITS, words, side="right") + 1
    ends = np.cumsum(lengths) - 1
    places = np.arange(ends[-1] + 1) - np.repeat(ends - lengths + 1, lengths)
    octets = (np.repeat(words, lengths) >> (places.astype(np.uint64) * np.uint64(7))).astype(np.uint8) | np.uint8(128)
    octets[ends] &= 127
    return bytes(octets)
