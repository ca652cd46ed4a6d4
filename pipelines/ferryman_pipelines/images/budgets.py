"""How large images are, and may be: sizes by the engine against `components/images.budgets.yaml`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ferryman.problems import validate
from ferryman.spec.blocks import Block
from ferryman.spec.yaml import read_yaml
from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import ImageName

FILE: Final = "components/images.budgets.yaml"
"""Where they lie in a checkout."""

MEGABYTE: Final = 10**6

Megabytes = Annotated[int, Field(gt=0)]


class Budgets(Block):
    """What images may take on disk, in MB of 10^6 bytes, as `docker images` counts."""

    budgets: Literal[1] = 1
    """The number of this file's format."""

    megabytes: dict[ImageName, Megabytes]
    """Of each image, with all its layers."""

    together: Megabytes
    """Of all images, each layer that they share counted once."""


@dataclass(frozen=True)
class Sizes:
    """What images take on disk, in bytes."""

    images: Mapping[ImageName, int]
    """Of each image, with all its layers."""

    together: int
    """Of all of them, each shared layer counted once."""


@dataclass(frozen=True)
class Layer:
    """One layer as an image's history tells it; two images share it when all below it is the same too."""

    created: str
    created_by: str
    size: int
    """In bytes."""


def read_budgets(checkout: Path) -> Budgets:
    """The budgets of a checkout; SpecError when the file is wrong."""
    file = checkout / FILE
    return validate(Budgets, read_yaml(file.read_text(encoding="utf-8"), str(file)), str(file))


def measure(images: Mapping[ImageName, str]) -> Sizes:
    """The sizes of built images, by name and ID.

    Raises:
        UnavailableError: no engine answers, or (DockerError) it does not have one of them.
    """
    histories = {name: _layers(ask(*_HISTORY, image)) for name, image in images.items()}
    return Sizes(
        {name: sum(layer.size for layer in layers) for name, layers in histories.items()}, together(histories.values())
    )


def over(sizes: Sizes, budgets: Budgets) -> list[str]:
    """What is too large, in sentences; what was not measured says nothing."""
    found = [
        f"the image {name} takes {_text(size)}, its budget is {budgets.megabytes[name]} MB"
        for name, size in sizes.images.items()
        if name in budgets.megabytes and size > budgets.megabytes[name] * MEGABYTE
    ]
    if sizes.together > budgets.together * MEGABYTE:
        found.append(f"all images together take {_text(sizes.together)}, their budget is {budgets.together} MB")
    return found


def together(histories: Iterable[list[Layer]]) -> int:
    """Bytes of all layers, the lowest of each image first, each one counted once that has the same layers below it."""
    seen: dict[tuple[Layer, ...], int] = {}
    for layers in histories:
        for height, layer in enumerate(layers):
            seen[tuple(layers[: height + 1])] = layer.size
    return sum(seen.values())


_HISTORY: Final = ("history", "--no-trunc", "--human=false", "--format", "{{json .}}")


def _layers(history: str) -> list[Layer]:
    """The layers with something in them, the lowest first; the engine tells the highest first."""
    entries: list[dict[str, Any]] = [json.loads(line) for line in reversed(history.splitlines())]
    layers = [Layer(entry["CreatedAt"], entry["CreatedBy"], int(entry["Size"])) for entry in entries]
    return [layer for layer in layers if layer.size]


def _text(size: int) -> str:
    return f"{size / MEGABYTE:.0f} MB"
