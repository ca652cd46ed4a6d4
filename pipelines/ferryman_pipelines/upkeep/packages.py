"""Python and the packages round us: what is installed, and what contradicts what we need; nothing is imported for it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ferryman_pipelines.upkeep.finding import Finding

SHOWN: Final = ("tensorflow", "keras", "kfp", "ai-edge-litert")
"""Packages that people ask for first; the others are told when something is wrong with them."""

KERAS: Final = SpecifierSet(">=3")
"""It comes with TensorFlow, and so stands in no range of ours; what is exported here are Keras 3's models."""

INSTALL: Final = "pip install -e '.[local]' in ferryman's folder, in a virtual environment of its own"

Version = Callable[[str], str | None]
"""The installed version of a package, None where it is missing."""


def python_finding() -> Finding:
    """The interpreter, against what the distribution asks for."""
    wanted = SpecifierSet(metadata.metadata("ferryman")["Requires-Python"])
    text = f"{platform.python_version()} ({sys.executable})"
    if platform.python_version() in wanted:
        return Finding("python", "ok", text)
    return Finding("python", "fail", f"{text}, ferryman needs {wanted}", f"make a virtual environment with {wanted}")


def package_findings(version: Version, requirements: list[str]) -> Iterator[Finding]:
    """The packages that people ask for, then each one of the extra `local` that is missing or of a wrong version."""
    ranges = {"keras": KERAS, **_ranges(requirements)}
    yield Finding("ferryman", "ok", version("ferryman") or "from a folder that was not installed")
    for name in sorted(ranges, key=lambda name: (SHOWN.index(name) if name in SHOWN else len(SHOWN), name)):
        found, wanted = version(name), ranges[name]
        if found is None:
            yield Finding(name, "fail", f"not installed, ferryman needs {wanted or 'it'}", INSTALL)
        elif not wanted.contains(found, prereleases=True):
            yield Finding(name, "fail", f"{found}, ferryman needs {wanted}", INSTALL)
        elif name in SHOWN:
            yield Finding(name, "ok", found)


def installed(name: str) -> str | None:
    """The installed version of a package, None where it is missing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def our_requirements() -> list[str]:
    """What the installed ferryman asks for, with its extras."""
    return metadata.requires("ferryman") or []


def _ranges(requirements: list[str]) -> dict[str, SpecifierSet]:
    """Package -> range, of what `ferryman[local]` needs on this machine."""
    found = {}
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": "local"}):
            found[wanted.name] = wanted.specifier
    return found
