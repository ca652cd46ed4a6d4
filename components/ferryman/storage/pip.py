"""pip of this environment: the one place that asks a package index. Its own configuration says which one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from ferryman.errors import ArtifactError, DataError, FerrymanError, UnavailableError
from ferryman.process import Finished, run

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


_ALTERED: Final = re.compile(
    r"^ +(?P<name>\S+) from [^\n]*\n +Expected sha256 (?P<expected>\w+)\n(?: +Expected[^\n]*\n)* +Got +(?P<got>\w+)",
    re.MULTILINE,
)


def ask_pip(*words: str, wanted: str, log: Path, limit: float) -> str:
    """What `pip WORDS` says; `wanted` is what it is asked for, for messages. `limit` is in seconds; `log` goes again.

    Raises:
        DataError: the index has no such package or version, or no wheel of it.
        ArtifactError: a file is not the one whose hash was asked for.
        UnavailableError: the index cannot be reached, or pip is not installed.
    """
    # -P: the user's current folder may hold a pip.py.
    command = [sys.executable, "-P", "-m", "pip", *words]
    try:
        finished = run(command, log=log, limit=limit, env={"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"})
        text = log.read_text(encoding="utf-8", errors="replace")
    finally:
        log.unlink(missing_ok=True)
    if not finished.ok:
        raise _failure(wanted, finished, text)
    return text


def _failure(wanted: str, finished: Finished, text: str) -> FerrymanError:
    if "No module named pip" in text:
        return UnavailableError(f"{wanted} cannot be fetched: {sys.executable} has no pip; try `python -m ensurepip`")
    if "DO NOT MATCH THE HASHES" in text:
        return ArtifactError(f"the package index gave something else than the lock names: {_altered(text)}")
    if finished.timed_out or any(mark in text for mark in _NOT_REACHED):
        return UnavailableError(
            f"{wanted} cannot be fetched: the package index did not answer; is there a network? "
            f"(pip download {wanted} shows more)"
        )
    errors = [line.removeprefix("ERROR: ").strip() for line in text.splitlines() if line.startswith("ERROR: ")]
    absent = [line for line in errors if "No matching distribution found for " in line]
    if absent:
        name = absent[0].partition("No matching distribution found for ")[2].split(" (from")[0]
        return DataError(_unknown(errors), source=f"package://{name.replace('==', '@')}")
    return UnavailableError(f"{wanted} cannot be fetched: {errors[-1] if errors else finished.reason()}")


def _altered(text: str) -> str:
    """What pip says of each file, without where it came from: an index's address may hold a password."""
    found = _ALTERED.finditer(text)
    told = [f"{file['name']}: expected sha256 {file['expected']}, received {file['got']}" for file in found]
    return "; ".join(told) or "pip does not say which"


def _unknown(errors: list[str]) -> str:
    versions = next((line for line in errors if "from versions:" in line), "")
    known = versions.partition("from versions:")[2].strip().rstrip(")").split(", ")
    if not any(known) or known == ["none"]:
        return "the package index has no wheel of it (is the name right?)"
    return f"the package index has no wheel of this version for this machine; it has {', '.join(known[-5:])}"
