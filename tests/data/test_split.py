from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.data.options import ClassLabel, CsvFormat, ExactSplit, HashSplit, NumberLabel
from ferryman.data.split import (
    TEST,
    TRAIN,
    VALIDATION,
    exact_sides,
    hash_order,
    hash_side,
    row_digest,
    row_ids,
    share_out,
    split_rule,
)
from ferryman.errors import DataError

Row = tuple[str, ...]

ROWS = st.lists(st.tuples(st.text("ab", max_size=2), st.sampled_from("xyz")), min_size=8, max_size=60)
"""Short texts, so that many rows are equal; the last cell is the class."""


def split_exactly(rows: list[Row], options: ExactSplit) -> tuple[dict[str, int], dict[str, Row]]:
    """Row id -> side and row id -> row, as the step finds them."""
    ids = row_ids(b"".join(map(row_digest, rows)))
    strata = np.array(["xyz".index(row[-1]) for row in rows])
    sides = exact_sides(hash_order(ids, options.seed), strata, options)
    names = [identity.tobytes().hex() for identity in ids]
    return dict(zip(names, sides.tolist(), strict=True)), dict(zip(names, rows, strict=True))


@given(rows=ROWS, seed=st.integers(-(2**40), 2**40), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_file_decides_nothing(rows: list[Row], seed: int, shuffle: random.Random) -> None:
    shuffled = rows.copy()
    shuffle.shuffle(shuffled)
    options = ExactSplit(validation=0.2, test=0.3, seed=seed)
    assert split_exactly(shuffled, options) == split_exactly(rows, options)


@given(rows=ROWS)
def test_ids_are_unique_and_tell_only_equal_rows_apart(rows: list[Row]) -> None:
    sides, by_id = split_exactly(rows, ExactSplit(validation=0.2, test=0.3))
    assert len(sides) == len(rows)
    assert Counter(by_id.values()) == Counter(rows)


@given(rows=ROWS, validation=st.floats(0.15, 0.4), test=st.floats(0.15, 0.4))
def test_sizes_are_exact_and_each_class_is_shared_out_alike(rows: list[Row], validation: float, test: float) -> None:
    sides, by_id = split_exactly(rows, ExactSplit(validation=validation, test=test))
    counts = Counter(sides.values())
    assert counts[TEST] == int(len(rows) * test + 0.5)
    assert counts[VALIDATION] == int(len(rows) * validation + 0.5)
    for name, size in Counter(row[-1] for row in rows).items():
        of_class = Counter(sides[identity] for identity, row in by_id.items() if row[-1] == name)
        # Train has a row of each class whenever it has as many rows as there are classes.
        assert of_class[TRAIN] >= 1 or counts[TRAIN] < len({row[-1] for row in rows})
        if size > 4:
            assert abs(of_class[TEST] - counts[TEST] * size / len(rows)) < 2


def test_the_split_is_the_same_on_any_machine() -> None:
    rows = [(str(number), "xyz"[number % 3]) for number in range(12)]
    sides, by_id = split_exactly(rows, ExactSplit(validation=0.25, test=0.25, seed=7))
    found = {side: sorted(int(by_id[identity][0]) for identity, s in sides.items() if s == side) for side in range(3)}
    assert found == GOLDEN_EXACT
    ids = row_ids(b"".join(map(row_digest, [*rows, rows[0]])))
    assert [ids[0].tobytes().hex()[:12], ids[-1].tobytes().hex()[:12]] == GOLDEN_IDS
    options = HashSplit(kind="hash", validation=0.25, test=0.25, seed=7)
    assert [hash_side(row, options) for row in rows] == GOLDEN_HASH


def test_another_seed_gives_another_split_of_the_same_sizes() -> None:
    rows = [(str(number), "xyz"[number % 3]) for number in range(60)]
    one, _ = split_exactly(rows, ExactSplit(seed=1))
    two, _ = split_exactly(rows, ExactSplit(seed=2))
    assert one != two
    assert one.keys() == two.keys()
    assert Counter(one.values()) == Counter(two.values())


def test_the_hash_order_mixes_a_sorted_source() -> None:
    ids = row_ids(b"".join(row_digest([str(number)]) for number in range(4000)))
    order = hash_order(ids, seed=3)
    assert sorted(order.tolist()) == list(range(4000))
    # A quarter of the order holds about a quarter of each quarter: 250 of 1000, deviation 12.
    assert all(abs((order[:1000] // 1000 == quarter).sum() - 250) < 60 for quarter in range(4))


def test_too_few_rows_for_three_sides_are_refused() -> None:
    with pytest.raises(DataError, match=r"4 rows are too few for validation 0\.1 and test 0\.2"):
        split_exactly([(str(number), "x") for number in range(4)], ExactSplit())


@given(
    key=st.lists(st.text("abc", max_size=3), min_size=1, max_size=3),
    seed=st.integers(0, 100),
    other=st.lists(st.text("abc", max_size=3), max_size=2),
)
def test_a_key_always_falls_on_the_same_side(key: list[str], seed: int, other: list[str]) -> None:
    options = HashSplit(kind="hash", seed=seed)
    assert hash_side(key, options) == hash_side(list(key), options)
    assert row_digest(["ab", "c", *other]) != row_digest(["a", "bc", *other])


def test_the_shares_of_a_hash_split_are_those_asked_for() -> None:
    options = HashSplit(kind="hash", validation=0.1, test=0.3, seed=11)
    counts = Counter(hash_side([str(number)], options) for number in range(20_000))
    # Deviations of a binomial: 42 rows at a tenth, 65 at three tenths.
    assert abs(counts[VALIDATION] - 2_000) < 5 * 42
    assert abs(counts[TEST] - 6_000) < 5 * 65


def test_a_larger_test_keeps_the_rows_that_it_had() -> None:
    small = HashSplit(kind="hash", validation=0.1, test=0.2)
    large = small.model_copy(update={"test": 0.3})
    keys = [[str(number)] for number in range(500)]
    assert all(hash_side(key, large) == TEST for key in keys if hash_side(key, small) == TEST)


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=8), share=st.floats(0.01, 0.99))
def test_places_are_shared_out_completely_and_nobody_gets_more_than_it_has(counts: list[int], share: float) -> None:
    total = int(sum(counts) * share)
    if sum(counts) == 0:
        return
    shares = share_out(total, np.array(counts))
    assert shares.sum() == total
    assert (shares <= np.array(counts)).all()
    if total <= sum(max(count - 1, 0) for count in counts):
        assert all(got < count for got, count in zip(shares, counts, strict=True) if count)


def test_remainders_decide_and_the_earlier_group_wins_a_tie() -> None:
    assert share_out(10, np.array([47, 16, 158, 120, 61])).tolist() == [1, 0, 4, 3, 2]
    assert share_out(1, np.array([5, 5, 5])).tolist() == [1, 0, 0]


def test_the_rule_changes_with_all_that_decides_and_only_with_it() -> None:
    label, form = ClassLabel(kind="class", column="y"), CsvFormat()
    base, key = HashSplit(kind="hash", key=("id",), seed=3), ["id"]
    others = [
        base.model_copy(update={"seed": 4}),
        base.model_copy(update={"test": 0.25}),
        base.model_copy(update={"validation": 0.25}),
        ExactSplit(seed=3),
    ]
    same = HashSplit(kind="hash", key=(0,), seed=3)
    assert split_rule(base, label, form, key) == split_rule(same, label, form, key)
    rules = {split_rule(options, label, form, key) for options in [base, *others]}
    assert len(rules | {split_rule(base, label, form, columns) for columns in (["id", "x"], ["x", "id"])}) == 7


def test_only_an_exact_split_depends_on_who_else_is_there() -> None:
    label, form = ClassLabel(kind="class", column="y"), CsvFormat()
    number = NumberLabel(kind="number", column="y")
    drop = number.model_copy(update={"missing": "drop"})
    null = CsvFormat(nulls=("", "NA"))
    circumstances = [(label, form), (number, form), (drop, form), (drop, null), (label, CsvFormat(header=False))]
    assert len({split_rule(ExactSplit(), *each, ["a"]) for each in circumstances}) == 5
    assert len({split_rule(HashSplit(kind="hash"), *each, ["a"]) for each in circumstances}) == 1
    # Nulls matter only where rows without a label are left out, columns only where they decide.
    assert split_rule(ExactSplit(), label, form, ["a"]) == split_rule(ExactSplit(), label, null, ["b"])


def test_train_must_get_a_share() -> None:
    with pytest.raises(ValueError, match="expected less than 1: train gets the rest"):
        ExactSplit(validation=0.5, test=0.5)


GOLDEN_EXACT = {TRAIN: [0, 2, 3, 4, 8, 10], VALIDATION: [5, 6, 7], TEST: [1, 9, 11]}
GOLDEN_IDS = ["bf7dde0617f3", "7ca5daf0d0c9"]
GOLDEN_HASH = [0, 0, 2, 0, 1, 0, 0, 0, 0, 1, 0, 0]
