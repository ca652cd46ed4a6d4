import json
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.golden.compare import compare
from ferryman.golden.golden_set import GoldenSet
from ferryman.steps.train.choose_golden import choose_rows, record_golden
from ferryman.steps.train.trained import TrainedModel


def test_each_class_has_its_share_even_when_it_is_rare_or_rows_are_sorted() -> None:
    target = np.array([0] * 700 + [1] * 290 + [2] * 10)
    chosen = choose_rows(target, classes=True, limit=100)
    assert np.bincount(target[chosen]).tolist() == [45, 45, 10]
    assert chosen.tolist() == sorted(set(chosen.tolist()))


def test_the_first_rows_of_a_class_are_taken() -> None:
    target = np.array([1, 0, 1, 0, 0, 1])
    assert choose_rows(target, classes=True, limit=4).tolist() == [0, 1, 2, 3]


def test_numbers_are_spread_from_the_smallest_to_the_largest() -> None:
    target = np.random.default_rng(0).permutation(1000).astype(float)
    chosen = choose_rows(target, classes=False, limit=5)
    assert sorted(target[chosen]) == [0, 250, 500, 749, 999]
    assert chosen.tolist() == sorted(chosen.tolist())


def test_few_rows_are_all_taken() -> None:
    assert choose_rows(np.array([3.0, 1.0]), classes=False).tolist() == [0, 1]


def test_a_golden_set_on_disk_holds_rows_device_tensors_and_answers(
    class_model: TrainedModel, make_rows: Any, tmp_path: Path
) -> None:
    raw = make_rows(40, 8).raw
    record_golden(class_model, raw).write(tmp_path)
    golden = GoldenSet.read(tmp_path)
    assert len(golden) == 40
    assert golden.device.keys() == {"mass", "mass_missing", "length", "island", "image"}
    assert compare(golden.answers, class_model.answers(raw), 0.0, 0.0).ok
    assert compare(golden.answers, class_model.answers(golden.raw), 0.0, 0.0).ok
    assert compare(golden.device, class_model.device_tensors(raw), 0.0, 0.0).ok


def test_rows_are_rest_instances(class_model: TrainedModel, make_rows: Any, tmp_path: Path) -> None:
    rows = make_rows(3, 8)
    record_golden(class_model, rows.raw).write(tmp_path)
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    second = json.loads(lines[1])
    assert second["mass"] == float(rows.raw["mass"][1])
    assert second["island"] == rows.raw["island"][1]
    assert second["image"] == rows.raw["image"][1].tolist()
    # A missing number: TF Serving's JSON reader takes NaN as it stands.
    assert json.loads(lines[0])["mass"] != json.loads(lines[0])["mass"]
