"""What is drawn of a run at work: its numbers, in lines that fit the terminal."""

from __future__ import annotations

import pytest

from ferryman.artifacts.progress import StepProgress
from ferryman_pipelines.cli.live.drawing import curve, lines, watched
from ferryman_pipelines.cli.live.look import AtWork, Look

NUMBERS = [
    {"loss": 1.25 / epoch, "validation_loss": 2.0 / epoch, "validation_accuracy": 1 - 0.5 / epoch}
    for epoch in range(1, 8)
]
TRAIN = StepProgress(pid=7, rows=3_500, epoch=7, epochs=20, seconds=8.0, numbers=NUMBERS)
LOOK = Look(42.25, (AtWork("train", 21.5, TRAIN, 733_400_000), AtWork("evaluate", 1.0)), 1_912_000_000)


def test_a_step_at_work_shows_its_epoch_its_pace_its_memory_and_two_curves() -> None:
    assert lines(LOOK, 80, 1) == [
        "⠙ train           21.5 s  epoch 7 of 20, 3,062 rows/s, 733 MB",
        "    loss                 0.1786    █▄▃▂▁▁▁",
        "    validation accuracy  0.9286    ▁▅▆▇███",
        "⠙ evaluate         1.0 s",
        "⠙ whole run       42.2 s  1,912 MB",
    ]


@pytest.mark.parametrize("width", [40, 27, 80, 200])
def test_no_line_is_as_wide_as_the_terminal_and_nothing_is_lost(width: int) -> None:
    drawn = lines(LOOK, width, 0)
    words = " ".join(drawn)
    for part in ("epoch 7 of 20", "3,062 rows/s", "733 MB", "whole run", "1,912 MB", "0.1786", "0.9286"):
        assert part in words
    assert width < 40 or max(map(len, drawn)) < width


def test_rows_that_are_read_are_counted_before_there_are_epochs() -> None:
    look = Look(3.0, (AtWork("prepare", 2.0, StepProgress(pid=1, rows=120_000)),))
    assert lines(look, 80, 0) == ["⠋ prepare          2.0 s  120,000 rows", "⠋ whole run        3.0 s"]


def test_a_terminal_without_such_characters_gets_ascii_and_no_curves() -> None:
    drawn = "".join(lines(LOOK, 80, 1, unicode=False))
    assert drawn.isascii()
    assert "0.1786" in drawn


def test_a_curve_shows_the_whole_training_also_where_it_is_longer_than_the_room() -> None:
    assert curve([0, 1, 2, 3, 4, 5, 6, 7], 40) == "▁▂▃▄▅▆▇█"
    assert curve([8.0, 8.0, 1.0, 1.0, 8.0, 8.0], 3) == "█▁█"
    assert curve([3.0, 3.0], 9) == "▁▁"
    assert curve([float("nan"), 1.0, float("inf"), 2.0], 9) == "▁█"
    assert curve([], 9) == curve([1.0], 0) == curve([1.0], -3) == ""


def test_the_loss_and_a_validation_metric_are_watched_whatever_they_are_called() -> None:
    assert watched([{"loss": 1.0, "validation_loss": 1.0, "validation_cost": 1.0}]) == ["loss", "validation_cost"]
    assert watched([{"loss": 1.0, "validation_loss": 1.0}]) == ["loss", "validation_loss"]
    assert watched([{"energy": 1.0, "validation_loss": 1.0}]) == ["energy", "validation_loss"]
    assert watched([]) == []
