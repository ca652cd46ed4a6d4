"""Budgets of images: what is shared counts once, and what is too large is named with its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import SpecError
from ferryman_pipelines.images.budgets import FILE, Budgets, Layer, Sizes, over, read_budgets, together
from ferryman_pipelines.images.lock import IMAGES

ROOT = Path(__file__).resolve().parents[2]
BASE, LEARNING, OURS, THEIRS = (
    Layer("2026-01-01", "base", 100),
    Layer("2026-01-02", "add tensorflow", 1000),
    Layer("2026-01-03", "add ours", 7),
    Layer("2026-01-04", "add ours", 7),
)


def test_a_layer_that_images_share_counts_once() -> None:
    assert together([[BASE, LEARNING, OURS], [BASE, LEARNING, THEIRS], [BASE]]) == 1114


def test_the_same_command_on_another_layer_is_another_layer() -> None:
    assert together([[BASE, LEARNING, OURS], [BASE, OURS]]) == 1114


def test_what_is_too_large_is_named_and_what_just_fits_is_not() -> None:
    budgets = Budgets(megabytes={"control": 400, "train": 2000}, together=2600)
    fits = Sizes({"control": 400_000_000, "train": 1_999_000_000}, 2_600_000_000)
    assert over(fits, budgets) == []
    assert over(Sizes({"control": 401_000_000, "train": 2_100_000_000}, 2_601_000_000), budgets) == [
        "the image control takes 401 MB, its budget is 400 MB",
        "the image train takes 2100 MB, its budget is 2000 MB",
        "all images together take 2601 MB, their budget is 2600 MB",
    ]


def test_every_image_has_a_budget_and_none_is_above_two_gigabytes() -> None:
    budgets = read_budgets(ROOT)
    assert set(budgets.megabytes) == set(IMAGES)
    assert max(budgets.megabytes.values()) <= 2000
    assert (budgets.megabytes["control"], budgets.megabytes["prepare"], budgets.together) == (400, 450, 2600)


def test_a_misspelt_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text("budgets: 1\nmegabytes: {contrl: 400}\ntogether: 2600\n", encoding="utf-8")
    with pytest.raises(SpecError, match="contrl"):
        read_budgets(tmp_path)
