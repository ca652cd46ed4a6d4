import re
from pathlib import Path

import numpy as np
import pytest

from ferryman.errors import ArtifactError
from ferryman.golden.compare import Comparison, compare
from ferryman.golden.golden_set import GoldenSet

LABELS = np.array([b"4", b"9"])
NUMBERS = np.array([[0.75, 0.25], [0.125, 0.875]], np.float32)
RECORDED = {"probabilities": NUMBERS, "label": LABELS}


def judged(**answered: np.ndarray) -> Comparison:
    return compare(RECORDED, {**RECORDED, **answered}, absolute=1e-5, relative=1e-4)


def test_the_same_answers_agree() -> None:
    same = judged()
    assert (same.ok, same.rows, same.largest_absolute, same.labels_changed, same.reason) == (True, 2, 0.0, 0, "")


def test_text_agrees_by_its_bytes_whatever_holds_it() -> None:
    assert judged(label=np.array([b"4", b"9"], dtype=object)).ok
    assert judged(label=np.array(["4", "9"])).ok


def test_a_changed_label_is_counted_and_shown() -> None:
    changed = judged(label=np.array([b"4", b"7"]))
    assert (changed.ok, changed.labels_changed) == (False, 1)
    assert "received '7', expected '9'" in changed.reason


@pytest.mark.parametrize(("apart", "ok"), [(8e-5, True), (1.2e-4, False)])
def test_a_number_may_lie_absolute_plus_relative_of_the_recorded_one_away(apart: float, ok: bool) -> None:
    # The bound at 0.875 is 1e-5 + 1e-4 * 0.875 = 9.75e-5.
    moved = NUMBERS.astype(np.float64)
    moved[1, 1] += apart
    comparison = judged(probabilities=moved)
    assert comparison.ok is ok
    assert comparison.largest_absolute == pytest.approx(apart)
    assert comparison.largest_relative == pytest.approx(apart / 0.875)
    assert ("in row 1" in comparison.reason) is not ok


def test_the_tolerance_is_relative_to_the_recorded_side() -> None:
    small, large = {"value": np.array([1.0])}, {"value": np.array([2.0])}
    assert compare(large, small, 0.0, 0.5).ok
    assert not compare(small, large, 0.0, 0.5).ok


@pytest.mark.parametrize("wild", [np.nan, np.inf])
def test_what_is_not_finite_never_agrees_on_either_side(wild: float) -> None:
    broken = NUMBERS.copy()
    broken[0, 0] = wild
    sides = [(RECORDED, {**RECORDED, "probabilities": broken}), ({**RECORDED, "probabilities": broken}, RECORDED)]
    both = {**RECORDED, "probabilities": broken}
    for recorded, answered in [*sides, (both, both)]:
        comparison = compare(recorded, answered, 1.0, 1.0)
        assert not comparison.ok
        assert "not finite" in comparison.reason


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ({"label": LABELS}, "expected label, probabilities"),
        ({**RECORDED, "value": NUMBERS}, "received the outputs label, probabilities, value"),
        ({**RECORDED, "probabilities": NUMBERS[:1]}, r"shape \[1, 2\], expected \[2, 2\]"),
        ({**RECORDED, "probabilities": NUMBERS.ravel()}, r"shape \[4\]"),
        ({**RECORDED, "probabilities": NUMBERS.astype(np.int64)}, "received int64, expected float32"),
        ({"probabilities": LABELS, "label": NUMBERS}, "received"),
        ({"probabilities": NUMBERS[:, ::-1], "label": LABELS}, "too far"),
        ({}, "received the outputs none"),
    ],
)
def test_what_cannot_be_compared_does_not_agree(answered: dict[str, np.ndarray], said: str) -> None:
    comparison = compare(RECORDED, answered, absolute=1e-5, relative=1e-4)
    assert not comparison.ok
    assert re.search(said, comparison.reason)


def test_nothing_recorded_is_no_agreement() -> None:
    assert not compare({}, {}, 1.0, 1.0).ok
    assert not compare({"value": np.zeros(0)}, {"value": np.zeros(0)}, 1.0, 1.0).ok


def test_a_golden_set_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    # Between the letters a line separator, a paragraph separator and a next line, which JSON writes as they are.
    rows = [{"x": 1.5, "text": "a\u2028b\u2029c\u0085d"}, {"x": 2.5, "text": "plain\nline"}]
    golden = GoldenSet(rows, {"x": np.array([1.5, 2.5], np.float32)}, {}, RECORDED)
    golden.write(tmp_path)
    again = GoldenSet.read(tmp_path)
    assert again.rows == golden.rows
    assert compare(golden.answers, again.answers, 0.0, 0.0).ok


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00", b"\x80\x04."])
def test_a_torn_tensor_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    GoldenSet([{"x": 1.5}], {"x": np.array([1.5], np.float32)}, {}, {"value": np.zeros(1)}).write(tmp_path)
    (tmp_path / "raw" / "0.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable golden set"):
        GoldenSet.read(tmp_path)
