"""What two specs say differently, field by field."""

from __future__ import annotations

from ferryman.spec.differences import differences


def told(a: object, b: object) -> list[tuple[str, object, object]]:
    return [(part.field, part.a, part.b) for part in differences(a, b)]


def test_the_smallest_parts_that_differ_are_named_and_the_sides_are_not_swapped() -> None:
    a = {"name": "m", "train": {"seed": 0, "epochs": 20}, "gate": {"require": [{"metric": "r2", "at_least": 0.5}]}}
    b = {"name": "m", "train": {"seed": 3, "epochs": 20}, "gate": {"require": [{"metric": "r2", "at_least": 0.75}]}}
    assert told(a, b) == [("train.seed", 0, 3), ("gate.require.0.at_least", 0.5, 0.75)]


def test_what_one_of_them_lacks_is_none_and_lists_of_other_lengths_are_told_whole() -> None:
    assert told({"code": {"path": "x"}, "hidden": [4]}, {"hidden": [4, 2]}) == [
        ("code", {"path": "x"}, None),
        ("hidden", [4], [4, 2]),
    ]
    assert told({"seed": True}, {"seed": 1}) == [("seed", True, 1)]


def test_where_pinned_bytes_lie_is_no_difference_and_what_they_are_is() -> None:
    a, b = {"uri": "file:///a", "sha256": "1"}, {"uri": "file:///b", "sha256": "1"}
    assert told(a, b) == []
    assert told(a, {**b, "sha256": "2"}) == [("sha256", "1", "2")]
    assert told({"uri": "a"}, {"uri": "b"}) == [("uri", "a", "b")]
