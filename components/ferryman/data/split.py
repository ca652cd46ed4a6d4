"""Which row is for training, which for validation and which for the test: decided by hashes, so the same everywhere.

A row is its cells' text. Its id is a hash of that text (equal rows are numbered apart), so neither the order of the
file nor the machine decides anything.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ferryman.data.options import ClassLabel, CsvFormat, ExactSplit, HashSplit, NumberLabel, ParquetFormat
from ferryman.errors import DataError

SIDES: Final = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

RULE_VERSION: Final = 2
"""Raised when the same rows would fall on other sides than before."""

ID_BYTES: Final = 16
"""Bytes of a row's id: among 10^12 different rows two ids are equal with a chance of 10^-15 (birthday bound)."""


def row_digest(cells: Sequence[str]) -> bytes:
    """Hash (16 bytes) of a row's text."""
    # Cells hold no NUL (the reader refuses it), so no two rows of one width have the same joined text.
    return hashlib.blake2b("\0".join(cells).encode(), digest_size=ID_BYTES).digest()


def row_ids(digests: bytes) -> np.ndarray:
    """Unique ids uint8 [n, 16] of rows with these digests (n times 16 bytes); equal rows are numbered apart."""
    ids = np.frombuffer(digests, dtype=np.uint8).reshape(-1, ID_BYTES).copy()
    order = np.lexsort(_words(ids)[::-1])
    ordered = ids[order]
    places = np.arange(len(ids))
    first = np.ones(len(ids), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    occurrence = places - np.maximum.accumulate(np.where(first, places, 0))
    for place in np.flatnonzero(occurrence):
        text = ordered[place].tobytes() + int(occurrence[place]).to_bytes(8, "big")
        identity = hashlib.blake2b(text, digest_size=ID_BYTES, person=b"occurrence").digest()
        ids[order[place]] = np.frombuffer(identity, dtype=np.uint8)
    return ids


def hash_order(ids: np.ndarray, seed: int) -> np.ndarray:
    """The rows with these ids (uint8 [n, 16]) as int64 offsets [n], in the order of a seeded hash of the ids."""
    content = ids.tobytes()
    keys = [_hash64(seed, content[start : start + ID_BYTES]) for start in range(0, len(content), ID_BYTES)]
    # The id breaks ties, which 64 bits hardly have.
    return np.lexsort((*_words(ids)[::-1], np.array(keys, dtype=np.uint64)))


def exact_sides(order: np.ndarray, strata: np.ndarray, options: ExactSplit, source: str = "") -> np.ndarray:
    """The side of each row (uint8): exact sizes overall, each stratum (int [n], its class) shared out alike.

    Of each stratum the first rows in `order` go to the test, the next to validation; train keeps at least one row of
    each as long as the sizes allow it.

    Raises:
        DataError: too few rows for three sides.
    """
    counts = np.bincount(strata)
    rows = len(order)
    test, validation = (math.floor(rows * share + 0.5) for share in (options.test, options.validation))
    if min(test, validation) < 1 or rows - test - validation < 1:
        raise DataError(
            f"{rows} rows are too few for validation {options.validation:g} and test {options.test:g}: expected at "
            "least one row on each side",
            source=source,
        )
    of_test = share_out(test, counts)
    of_validation = share_out(validation, counts - of_test)
    ordered = order[np.argsort(strata[order], kind="stable")]
    sides = np.full(rows, TRAIN, dtype=np.uint8)
    start = 0
    for size, first, second in zip(counts.tolist(), of_test.tolist(), of_validation.tolist(), strict=True):
        sides[ordered[start : start + first]] = TEST
        sides[ordered[start + first : start + first + second]] = VALIDATION
        start += size
    return sides


def share_out(total: int, counts: np.ndarray) -> np.ndarray:
    """`total` places among groups in proportion to `counts`, by largest remainder; a group keeps one row if it can.

    Integers throughout; of equal remainders the earlier group wins. `total` is at most the sum of `counts`.
    Source: Hamilton's method (largest remainder, Hare quota).
    """
    sizes = [int(count) for count in counts]
    rows = sum(sizes)
    caps = [max(size - 1, 0) for size in sizes]
    if sum(caps) < total:
        caps = sizes
    shares = [min(total * size // rows, cap) for size, cap in zip(sizes, caps, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda group: (-(total * sizes[group] % rows), group))
    left = total - sum(shares)
    while left:
        for group in by_remainder:
            if left and shares[group] < caps[group]:
                shares[group] += 1
                left -= 1
    return np.array(shares, dtype=np.int64)


def hash_side(key: Sequence[str], options: HashSplit) -> int:
    """The side of the row with these key cells: it depends on nothing else but the options' seed and shares."""
    place = _hash64(options.seed, "\0".join(key).encode())
    # 2^64 times a float is exact: every machine compares the same integers.
    if place < int(options.test * 2**64):
        return TEST
    return VALIDATION if place < int((options.test + options.validation) * 2**64) else TRAIN


def split_rule(
    options: ExactSplit | HashSplit,
    label: ClassLabel | NumberLabel,
    form: CsvFormat | ParquetFormat,
    key: Sequence[str | int],
) -> str:
    """SHA-256 of all that decides a row's side beside the source's bytes.

    `key` names the columns whose cells a `hash` split reads: with one column more or another in its place the same
    row falls elsewhere.

    Under equal rules a row lies on the same side: for `exact` when the sources are equal too, for `hash` on any source.
    """
    document: dict[str, Any] = {"version": RULE_VERSION, **options.model_dump(mode="json")}
    if options.kind == "hash":
        document["key"] = list(key)
    else:
        # The side depends on all the other rows: on who is among them, and on their strata.
        header = form.kind == "parquet" or form.header
        document |= {"header": header, "label": [label.kind, label.column, label.missing]}
        document |= {"nulls": sorted(form.missing)} if label.missing == "drop" else {}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _hash64(seed: int, content: bytes) -> int:
    digest = hashlib.blake2b(b"%d\0%s" % (seed, content), digest_size=8, person=b"split")
    return int.from_bytes(digest.digest(), "big")


def _words(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of each id as integers, in the order of the bytes on every machine."""
    words = np.ascontiguousarray(ids).view(">u8")
    return words[:, 0], words[:, 1]
