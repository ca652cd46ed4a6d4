"""The build context: one folder with the Dockerfile, the locks, the wheels, and nothing else of the checkout.

Wheels that change at different times lie apart, for a layer is built anew when anything changes in what it sees:
`wheels/` what our locks name, `requirements/` what the user's does with it, `app/` our own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ferryman.storage.pip import ask_pip
from ferryman_pipelines.images.source import Source

REQUIREMENTS: Final = "requirements.lock"
"""In `requirements/`: what the user's code needs; empty when nothing."""

LIMIT: Final = 600.0
"""Seconds that our own wheel may take; its build backend is fetched first."""


def assemble(
    folder: Path, source: Source, wheels: Iterable[Path], user_lock: Path | None, theirs: Iterable[Path]
) -> None:
    """Make `folder` the context: the checkout's Dockerfile, its locks and their `wheels`, the user's lock and `theirs`,
    and our own wheel, built from the checkout.

    Raises:
        DataError, UnavailableError: our wheel cannot be built, or its build backend cannot be had.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("wheels", "requirements", "app"):
        (folder / name).mkdir(parents=True)
    shutil.copy2(source.dockerfile, folder / "Dockerfile")
    shutil.copytree(source.locks, folder / "locks")
    _link(wheels, folder / "wheels")
    (folder / "requirements" / REQUIREMENTS).write_bytes(user_lock.read_bytes() if user_lock else b"")
    _link(theirs, folder / "requirements")
    ask_pip(
        "wheel", "--no-deps", f"--wheel-dir={folder / 'app'}", str(source.root),
        wanted="our own wheel", log=folder / "pip.log", limit=LIMIT,
    )  # fmt: skip


def _link(wheels: Iterable[Path], folder: Path) -> None:
    """Without copying a GB where that can be; nobody writes to a context."""
    for wheel in wheels:
        try:
            os.link(wheel, folder / wheel.name)
        except OSError:
            shutil.copy2(wheel, folder / wheel.name)
