"""Disk space, before anything is fetched or built: a disk that fills half-way leaves layers that nobody can use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError

ENGINE: Final = 5_000_000_000
"""Bytes that the engine needs: six images share 2.6 GB, and BuildKit keeps what it was given and works on beside them."""

HOME: Final = 1_500_000_000
"""Bytes that the wheels of all images take in the cache, with room for those of a user."""

GPU_MORE: Final = (4_000_000_000, 14_000_000_000)
"""Bytes that NVIDIA's libraries take besides: as wheels, and with the engine (packed once, unpacked once)."""


def check_space(needs: Mapping[Path, tuple[int, str]]) -> None:
    """Expect so many free bytes round each folder, which need not exist; those on one disk are added up.

    Raises:
        UnavailableError: a disk has less; each number is told.
    """
    disks: dict[int, list[tuple[Path, int, str]]] = {}
    for folder, (size, what) in needs.items():
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        disks.setdefault(os.stat(place).st_dev, []).append((place, size, what))
    for found in disks.values():
        place, expected = found[0][0], sum(size for _, size, _ in found)
        free = shutil.disk_usage(place).free
        if free < expected:
            parts = " and ".join(f"{size / 1e9:.1f} GB for {what}" for _, size, what in found)
            raise UnavailableError(
                f"{place}: {free / 1e9:.1f} GB are free, building takes {parts}; try: docker system prune, or "
                "ferryman clean --dry-run to see what ferryman could free"
            )
