"""The wheels of the locks: fetched by pip for the base image's Python, kept by content, verified whenever they are used.

A wheel lies in the cache below the hash that its lock names, so that a new lock fetches only what it changes, and
images share what they share.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ferryman.errors import UnavailableError
from ferryman.storage.local import sha256_file
from ferryman.storage.pip import ask_pip
from ferryman_pipelines.images.base import Base
from ferryman_pipelines.images.pins import Pin

LIMIT: Final = 3600.0
"""Seconds that all downloads may take: 1 GB at 0.3 MB/s."""


def wheelhouse(pins: Iterable[Pin], base: Base, cache: Path, told: Callable[[str], None]) -> dict[Pin, Path]:
    """The wheel of each pin, fetched into `cache` unless it lies there; each file has a hash of its pin.

    Raises:
        ArtifactError: what the index gave has another hash. DataError: it has no such wheel for this Python.
        UnavailableError: the index does not answer, or the disk is full.
    """
    wanted, tags, folder = list(pins), base.tags, cache / "wheels"
    found = {pin: wheel for pin in wanted if (wheel := _cached(pin, tags, folder))}
    missing = [pin for pin in wanted if pin not in found]
    if missing:
        told(f"fetching {len(missing)} of {len(wanted)} wheels into {folder}")
        _fetch(missing, base, folder)
        found |= {pin: wheel for pin in missing if (wheel := _cached(pin, tags, folder))}
    if len(found) < len(set(wanted)):
        lost = _described([pin for pin in wanted if pin not in found])
        raise UnavailableError(f"{folder}: {lost} was fetched and is gone; try again")
    return found


def _cached(pin: Pin, tags: frozenset[Tag], folder: Path) -> Path | None:
    """The wheel of a pin that lies whole in the cache and fits; one that is damaged goes."""
    for digest in sorted(pin.hashes):
        for wheel in (folder / digest).glob("*.whl"):
            if not _fits(wheel, tags):
                continue
            if sha256_file(wheel) == digest:
                # `ferryman clean` spares what was used of late.
                os.utime(folder / digest)
                return wheel
            shutil.rmtree(folder / digest)
    return None


def _fits(wheel: Path, tags: frozenset[Tag]) -> bool:
    try:
        _, _, _, found = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(found)


def _fetch(missing: list[Pin], base: Base, folder: Path) -> None:
    fresh = folder / f".{uuid.uuid4().hex}.partial"
    fresh.mkdir(parents=True)
    try:
        wanted = fresh / "wanted.txt"
        # Without markers: pip would ask them of this machine's Python.
        wanted.write_text("".join(f"{pin} {_options(pin)}\n" for pin in missing), encoding="utf-8")
        ask_pip(
            "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off", "--retries=2",
            "--implementation=cp", "--python-version={}.{}".format(*base.python),
            *(f"--platform={name}" for name in base.platforms),
            f"--dest={fresh}", f"--requirement={wanted}",
            wanted=_described(missing), log=fresh / "pip.log", limit=LIMIT,
        )  # fmt: skip
        for wheel in fresh.glob("*.whl"):
            _publish(wheel, folder / sha256_file(wheel))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _publish(wheel: Path, folder: Path) -> None:
    apart = wheel.with_suffix("")
    apart.mkdir()
    wheel.rename(apart / wheel.name)
    # Somebody else may have fetched the same bytes meanwhile.
    with contextlib.suppress(OSError):
        apart.rename(folder)


def _options(pin: Pin) -> str:
    return " ".join(f"--hash=sha256:{digest}" for digest in sorted(pin.hashes))


def _described(pins: list[Pin]) -> str:
    names = [str(pin) for pin in pins]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
