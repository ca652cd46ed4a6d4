"""Varints in arrays against protobuf's own lists."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ferryman.serving.protocol import TensorProto
from ferryman.serving.protocol.varints import LONGEST, PIECE, SMALL, decode, encode

NUMBERS = st.lists(
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, 127) | st.integers(0, 63).map(lambda bits: 2**bits - 1),
    max_size=60,
)


def packed(numbers: list[int]) -> bytes:
    """Protobuf's bytes of a list, without tag and length."""
    body: bytes = TensorProto(int64_val=numbers).SerializeToString()[1:]
    while body and body[0] & 128:
        body = body[1:]
    return body[1:]


@settings(max_examples=2000, deadline=None)
@given(NUMBERS)
@example([])
@example([127] * (SMALL + 1))
@example([128] * (SMALL + 1))
@example([-1, 2**63 - 1, -(2**63), 0] * SMALL)
def test_numbers_are_written_as_protobuf_writes_them_and_read_back(numbers: list[int]) -> None:
    array = np.array(numbers, np.int64)
    assert encode(array) == packed(numbers)
    assert encode(array.view(np.uint64)) == packed(numbers)
    found = decode(packed(numbers))
    assert (found.dtype, found.tolist()) == (np.int64, numbers)


@pytest.mark.parametrize("bits", [1, 8, 15, 63, 64])
def test_long_lists_are_cut_into_pieces_and_never_within_a_number(bits: int) -> None:
    random = np.random.default_rng(bits)
    numbers = (random.integers(0, 2**64 - 1, 2 * PIECE + 7, np.uint64) >> np.uint64(64 - bits)).view(np.int64)
    assert encode(numbers) == packed(numbers.tolist())
    assert (decode(encode(numbers)) == numbers).all()


@pytest.mark.parametrize("before", [0, SMALL * LONGEST, PIECE - 4, 3 * PIECE])
@pytest.mark.parametrize("bad", [b"\x80", b"\xff" * LONGEST + b"\x01", b"\x80" * (2 * LONGEST) + b"\x01"])
def test_a_number_without_an_end_or_of_more_than_ten_bytes_is_refused(before: int, bad: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(b"\x05" * before + bad)
    with pytest.raises(DecodeError):
        TensorProto.FromString(b"\x52" + _length(before + len(bad)) + b"\x05" * before + bad)


def _length(size: int) -> bytes:
    return encode(np.array([size]))
