"""The base image: what its Python is, before anything is built on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags

from ferryman.errors import UnavailableError, UsageError
from ferryman_pipelines.images.docker import DockerError, ask

PULL_LIMIT: Final = 900.0
"""Seconds that pulling a base of some 100 MB may take."""

_LOOK: Final = """
import importlib.util, json, platform
print(json.dumps({
    "version": platform.python_version(), "machine": platform.machine(), "libc": platform.libc_ver(),
    "kind": platform.python_implementation(), "venv": bool(importlib.util.find_spec("ensurepip")),
}))
"""


@dataclass(frozen=True)
class Base:
    """A base image and its Python."""

    image: str
    version: str
    """Of Python, e.g. 3.11.2."""

    machine: str
    """As `uname -m` says it."""

    glibc: tuple[int, int]

    @property
    def python(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def platforms(self) -> list[str]:
        """Platform tags of the wheels that it takes, the newest first. Source: PEP 600; 2.5 is the oldest that counts."""
        major, minor = self.glibc
        return [f"manylinux_{major}_{number}_{self.machine}" for number in range(minor, 4, -1)] + [
            f"{name}_{self.machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")
        ]

    @property
    def tags(self) -> frozenset[Tag]:
        """Tags of the wheels that it takes."""
        python, platforms = self.python, self.platforms
        interpreter = f"cp{python[0]}{python[1]}"
        return frozenset(cpython_tags(python, platforms=platforms)) | frozenset(
            compatible_tags(python, interpreter, platforms)
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Its values of PEP 508's markers."""
        return {
            **{name: str(value) for name, value in default_environment().items()},
            "python_version": "{}.{}".format(*self.python),
            "python_full_version": self.version,
            "implementation_version": self.version,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "platform_machine": self.machine,
            "platform_system": "Linux",
            "sys_platform": "linux",
            "os_name": "posix",
        }


def default_base(dockerfile: Path) -> str:
    """The base image that a Dockerfile names itself."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise UsageError(f"{dockerfile} names no base image: expected ARG BASE_IMAGE=..., or --base IMAGE")
    return found[1]


def look_at_base(image: str) -> Base:
    """The base image, pulled when it is not here.

    Raises:
        UnavailableError: it is neither here nor can it be pulled.
        UsageError: its Python is missing, of another version, or not one that the wheels of the locks run on.
    """
    _expect_here(image)
    expected = SpecifierSet(metadata.metadata("ferryman")["Requires-Python"])
    advice = f"expected Python {expected}, for which components/locks is made; try --base with another image"
    try:
        found = json.loads(ask("run", "--rm", "--network=none", "--entrypoint=python3", image, "-c", _LOOK))
    except (DockerError, ValueError) as error:
        raise UsageError(f"the base image {image} has no python3 that runs: {_short(error)}; {advice}") from error
    if found["version"] not in expected:
        raise UsageError(f"the base image {image} has Python {found['version']}; {advice}")
    if found["kind"] != "CPython" or found["libc"][0] != "glibc":
        kind = found["kind"] if found["kind"] != "CPython" else "a C library that is not glibc"
        raise UsageError(f"the base image {image} has {kind}, for which TensorFlow has no wheels; try a Debian image")
    if not found["venv"]:
        raise UsageError(
            f"the base image {image} cannot make a virtual environment (no ensurepip); install python3-venv in it"
        )
    major, minor = found["libc"][1].split(".")[:2]
    return Base(image, found["version"], found["machine"], (int(major), int(minor)))


def _expect_here(image: str) -> None:
    try:
        ask("image", "inspect", "--format", "{{.Id}}", image)
    except DockerError:
        try:
            ask("pull", "--quiet", image, limit=PULL_LIMIT)
        except DockerError as error:
            raise UnavailableError(
                f"the base image {image} is neither here nor can it be pulled: {_short(error)}; try --base with "
                "another image (docker images lists those that are here)"
            ) from error


def _short(error: Exception) -> str:
    """The last line of what was said: an engine's first ones tell of progress."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
