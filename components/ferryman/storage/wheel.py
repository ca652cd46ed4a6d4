"""Wheels from the package index, fetched by pip and kept in a cache; nothing is installed, built or run from them."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import Final

from ferryman.errors import DataError, FerrymanError, UnavailableError
from ferryman.process import Finished, run

LIMIT: Final = 600.0
"""Seconds that a download may take; a wheel of 500 MB at 1 MB/s just fits."""

_NOT_REACHED: Final = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Max retries exceeded",
    "Retrying (",
    "ProxyError",
    "SSLError",
    "Could not fetch URL",
)
"""What pip (23 to 26) prints when the index did not answer; it then also says `No matching distribution found`."""


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
    # -P: the user's current folder may hold a pip.py; the log lies apart, so that only wheels are published.
    log = folder.with_suffix(".log")
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--retries=2", "--timeout=15",
        "--dest", str(folder), "--", f"{name}=={version}",
    ]  # fmt: skip
    try:
        finished = run(command, log=log, limit=LIMIT)
        text = log.read_text(encoding="utf-8", errors="replace")
    finally:
        log.unlink(missing_ok=True)
    if not finished.ok:
        raise _failure(f"{name}=={version}", finished, text)
    if _wheel_in(folder) is None:
        raise DataError(f"pip fetched no wheel for {name}=={version}", source=f"package://{name}@{version}")


def _failure(wanted: str, finished: Finished, text: str) -> FerrymanError:
    if "No module named pip" in text:
        return UnavailableError(f"{wanted} cannot be fetched: {sys.executable} has no pip; try `python -m ensurepip`")
    if finished.timed_out or any(mark in text for mark in _NOT_REACHED):
        return UnavailableError(
            f"{wanted} cannot be fetched: the package index did not answer; is there a network? "
            f"(pip download {wanted} shows more)"
        )
    errors = [line.removeprefix("ERROR: ").strip() for line in text.splitlines() if line.startswith("ERROR: ")]
    if any("No matching distribution" in line for line in errors):
        return DataError(_unknown(wanted, errors), source=f"package://{wanted.replace('==', '@')}")
    return UnavailableError(f"{wanted} cannot be fetched: {errors[-1] if errors else finished.reason()}")


def _unknown(wanted: str, errors: list[str]) -> str:
    versions = next((line for line in errors if "from versions:" in line), "")
    known = versions.partition("from versions:")[2].strip().rstrip(")").split(", ")
    if not any(known) or known == ["none"]:
        return "the package index has no wheel of it (is the name right?)"
    return f"the package index has no wheel of this version for this machine; it has {', '.join(known[-5:])}"
