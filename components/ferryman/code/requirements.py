"""The lock file of the user's package: every `NAME==VERSION` in it must be what this environment has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from ferryman.errors import UsageError

_PIN: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*==\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
)
"""Source: PEP 508, without markers and URLs: what they mean depends on the machine, and a lock must not."""


def check_requirements(text: str, file: str) -> None:
    """Refuse an environment that is not what the lock file `text` says; `file` is its name for messages.

    Comments, and the `--hash` options of pip-compile and uv, are skipped.

    Raises:
        UsageError: a line is no `NAME==VERSION`; or a package is missing or of another version (all are named).
    """
    different = []
    for name, version in pins(text, file):
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            different.append(f"{name} is not installed, expected {version}")
            continue
        if _plain(installed) != _plain(version):
            different.append(f"{name} is {installed}, expected {version}")
    if different:
        raise UsageError(
            f"code.requirements: this environment is not what {file} says: {'; '.join(different)}. "
            f"Try: pip install -r {file}"
        )


def pins(text: str, file: str) -> Iterator[tuple[str, str]]:
    """Name and version of each line of a lock file; UsageError for a line of another form."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        wanted = re.sub(r"\s--hash=\S+", "", re.sub(r"(^|\s)#.*", "", line)).strip()
        if not wanted:
            continue
        pin = _PIN.fullmatch(wanted)
        if not pin:
            raise UsageError(
                f"code.requirements: {file}: received the line {wanted[:80]!r}, expected NAME==VERSION "
                "(a lock file, as `pip freeze` and `pip-compile` write it, without markers)"
            )
        yield pin["name"], pin["version"]


def _plain(version: str) -> str:
    """A version whose spelling does not count: 1.0 and 1.0.0 are one. Source: PEP 440, "Version specifiers"."""
    return re.sub(r"(\.0)+$", "", version.lower().removeprefix("v"))
