"""Lock files with hashes, as uv and pip-compile write them: which version of what, and the files that may stand for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ferryman.errors import UsageError
from ferryman.problems import without_secret

_HASH: Final = re.compile(r"\s--hash=sha256:([0-9a-f]{64})(?=\s|$)")

HOW: Final = "uv pip compile --generate-hashes requirements.in -o requirements.lock"
"""The command that makes a lock such as we read."""


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    name: str
    """Normalised."""

    version: str
    hashes: frozenset[str]
    """SHA-256, in hex, of each file that may stand for it."""

    marker: Marker | None = None
    """Where it is wanted; everywhere without one."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def read_pins(file: Path) -> list[Pin]:
    """The packages of a lock file, in its order.

    Raises:
        UsageError: it cannot be read, or a line is no `NAME==VERSION` with at least one `--hash=sha256:...`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"{file} cannot be read: {reason}; expected a lock file with hashes ({HOW})") from error
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    plain = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    return [_pin(line, file) for line in plain if line]


def _pin(line: str, file: Path) -> Pin:
    hashes = frozenset(_HASH.findall(line))
    wanted = _HASH.sub("", line).strip()
    try:
        requirement = Requirement(wanted)
        (exact,) = [part.version for part in requirement.specifier if part.operator == "=="]
    except (InvalidRequirement, ValueError):
        exact = ""
    if not exact or exact.endswith("*") or requirement.url or len(requirement.specifier) > 1:
        line = without_secret(wanted)[:80]
        raise UsageError(f"{file}: received the line {line!r}, expected NAME==VERSION --hash=sha256:... ({HOW})")
    if not hashes:
        raise UsageError(f"{file}: {wanted[:80]} has no --hash=sha256:..., and nothing is installed unseen ({HOW})")
    return Pin(canonicalize_name(requirement.name), exact, hashes, requirement.marker)


def wanted_pins(pins: Iterable[Pin], environment: Mapping[str, str]) -> list[Pin]:
    """Those that an environment (PEP 508 markers) wants."""
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate(dict(environment))]


def check_agreement(theirs: Iterable[Pin], ours: Iterable[Pin], file: Path, lock: Path) -> None:
    """Refuse a user's lock `file` that wants another version than our `lock` of what both name.

    Raises:
        UsageError: all of them are named.
    """
    locked = {pin.name: pin.version for pin in ours}
    different = [
        f"{pin} against {locked[pin.name]}" for pin in theirs if locked.get(pin.name, pin.version) != pin.version
    ]
    if different:
        raise UsageError(
            f"{file} wants other versions than the image has: {', '.join(different)}; "
            f"make it with -c {lock.parent / 'constraints.txt'}"
        )
