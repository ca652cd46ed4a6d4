"""Where versions lie: the folders below a base path whose names are whole numbers."""

from __future__ import annotations

import os
from pathlib import Path


def versions_on_disk(base_path: str) -> list[int] | None:
    """The version folders of a base path (children whose name is a whole number); None when it does not exist."""
    try:
        names = os.listdir(base_path)
    except OSError:
        return None
    return sorted(
        int(name) for name in names if name.isascii() and name.isdigit() and os.path.isdir(f"{base_path}/{name}")
    )


def version_folder(base_path: str, number: int) -> Path:
    """The folder of a version; its name may have leading zeros."""
    for name in sorted(os.listdir(base_path)):
        if name.isascii() and name.isdigit() and int(name) == number:
            return Path(base_path) / name
    return Path(base_path) / str(number)
