"""What each lock of `components/locks` asks for: the extras of pyproject.toml, as images need them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ferryman.errors import UsageError

PROJECT: Final = "ferryman"

EVERYTHING: Final = "local"
"""The extra whose one resolve bounds every lock: images hold what was tested together."""

ALONE: Final = "kfp"
"""Stands in every image without its dependencies: a step needs KFP's executor and none of its 20 packages."""

PROCESSOR: Final = "tensorflow-cpu"
"""In the place of TensorFlow: the same release without 300 MB that only a GPU needs, under another name."""

GPU: Final = "tensorflow[and-cuda]"
"""In the place of TensorFlow: with NVIDIA's libraries as packages, so that the base needs none."""

NEEDLESS: Final = "libclang"
"""TensorFlow asks for it (62 MB) and never imports it."""


@dataclass(frozen=True)
class Layer:
    """One lock: what stands in a layer of images once the layers below it are there."""

    extras: tuple[str, ...]
    """Extras of pyproject.toml; a target has the one of its own name."""

    parent: str = ""
    """The layer below, whose packages are all in this one too; empty for the first."""

    tensorflow: str = PROCESSOR
    """What stands for TensorFlow."""


LAYERS: Final[dict[str, Layer]] = {
    "common": Layer(("gcs",)),
    "control": Layer(("gcs", "control"), "common"),
    "prepare": Layer(("gcs", "prepare"), "common"),
    "tensorflow": Layer(("gcs", "tensorflow"), "common"),
    "train": Layer(("gcs", "train"), "tensorflow"),
    "evaluate": Layer(("gcs", "evaluate"), "train"),
    "convert": Layer(("gcs", "convert"), "train"),
    "serve": Layer(("gcs", "serve"), "tensorflow"),
    "train-gpu": Layer(("gcs", "train"), "common", GPU),
}
"""Lock -> what it asks for; components/Dockerfile has a stage of each name."""


@dataclass(frozen=True)
class Wanted:
    """What one resolve asks for."""

    requirements: tuple[str, ...]
    """With all that they depend on."""

    alone: tuple[str, ...] = ()
    """Without what they depend on."""

    left_out: tuple[str, ...] = ()
    """Packages that something depends on, and that stay away all the same."""


def wanted_everywhere(pyproject: Path) -> Wanted:
    """What the one resolve asks for that bounds all locks."""
    found = dict(_requirements(pyproject, (EVERYTHING,)))
    both = [_instead(found["tensorflow"], name) for name in (PROCESSOR, GPU)]
    return Wanted(tuple(sorted(str(wanted) for wanted in [*found.values(), *both])))


def wanted(pyproject: Path, lock: str) -> Wanted:
    """What the lock of this name asks for, from the extras as `pyproject` has them now."""
    layer = LAYERS[lock]
    found = dict(_requirements(pyproject, layer.extras))
    left_out = [NEEDLESS]
    if "tensorflow" in found:
        found["tensorflow"] = _instead(found["tensorflow"], layer.tensorflow)
    if layer.tensorflow == PROCESSOR:
        # Or tensorflow-serving-api brings the full one beside it.
        left_out.append("tensorflow")
    alone = dict(_requirements(pyproject, (EVERYTHING,)))[ALONE]
    return Wanted(tuple(sorted(map(str, found.values()))), (str(alone),), tuple(left_out))


def _requirements(pyproject: Path, extras: tuple[str, ...]) -> Iterator[tuple[str, Requirement]]:
    """Name and requirement of the base's dependencies and of what the extras ask for; an extra may name others."""
    project = _project(pyproject)
    texts = list(project.get("dependencies", []))
    known = project.get("optional-dependencies", {})
    open_, seen = list(extras), set[str]()
    while open_:
        extra = open_.pop()
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in known:
            raise UsageError(f"{pyproject}: there is no extra {extra!r}, which components/locks needs")
        for text in known[extra]:
            requirement = Requirement(text)
            if canonicalize_name(requirement.name) == PROJECT:
                open_.extend(requirement.extras)
            else:
                texts.append(text)
    for text in texts:
        requirement = Requirement(text)
        yield canonicalize_name(requirement.name), requirement


def _project(pyproject: Path) -> Mapping[str, Any]:
    try:
        document: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise UsageError(
            f"{pyproject} cannot be read as a project: {error}; is this a checkout of ferryman?"
        ) from error
    return document


def _instead(requirement: Requirement, name: str) -> Requirement:
    """The same range of another package."""
    return Requirement(f"{name}{requirement.specifier}")
