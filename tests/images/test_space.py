"""Disk space is counted before anything is fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ferryman.errors import UnavailableError
from ferryman_pipelines.images.space import check_space


def test_enough_is_enough_also_round_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    check_space({tmp_path / "not" / "yet": (1000, "wheels")})


def test_too_little_says_how_much_is_free_and_how_much_it_takes(tmp_path: Path) -> None:
    with pytest.raises(
        UnavailableError, match=r"GB are free, building takes 9000000\.0 GB for images; try: docker system prune"
    ):
        check_space({tmp_path: (9 * 10**15, "images")})


def test_what_shares_a_disk_is_added_up(tmp_path: Path) -> None:
    half = shutil.disk_usage(tmp_path).free * 6 // 10
    check_space({tmp_path: (half, "images")})
    with pytest.raises(UnavailableError, match=r"GB for images and .* GB for wheels"):
        check_space({tmp_path: (half, "images"), tmp_path / "home": (half, "wheels")})
