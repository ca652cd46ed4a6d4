"""`images.lock.json`: what was built, by image name. Containers here run by ID, clusters by a registry's digest."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from ferryman.errors import UsageError
from ferryman.problems import validate
from ferryman.spec.blocks import Block
from ferryman.storage.local import atomic_write

FILE: Final = "images.lock.json"
"""The lock's usual name, in the current folder."""

ImageName = Literal["control", "prepare", "train", "evaluate", "convert", "serve", "train-gpu"]
IMAGES: Final[tuple[ImageName, ...]] = get_args(ImageName)[:6]
"""The images that every run needs."""

GPU_IMAGE: Final[dict[str, ImageName]] = {"train": "train-gpu"}
"""The image of a step that has a GPU: built only when it is asked for, as it is several times as large."""

IMAGE_OF_STEP: Final[dict[str, ImageName]] = {
    "resolve": "control",
    "prepare": "prepare",
    "train": "train",
    "evaluate": "evaluate",
    "convert": "convert",
    "serving_check": "serve",
    "gate": "control",
    "rollout": "control",
    "hold": "control",
    "record": "control",
}
"""The image that each step runs in."""

CODE_LABEL: Final = "ferryman.code"
"""The label by which an image says which code of ours it holds (`code_digest`)."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Image(Block):
    """One image as it was built, and as a registry knows it after a push."""

    id: Digest
    """Its ID: names it for the engine of this machine, before any push."""

    reference: str | None = Field(default=None, pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")
    """`registry/repository@sha256:...` as the registry answered the push; null before one."""


class ImageLock(Block):
    """What was built last."""

    images: Literal[1] = 1
    """The number of this file's format."""

    built: dict[ImageName, Image] = {}

    def ids(self, file: Path) -> dict[str, str]:
        """Step -> image ID; UsageError names the images that were never built."""
        self._expect([name for name in IMAGES if name not in self.built], "is not built", "", file)
        return {step: self.built[name].id for step, name in IMAGE_OF_STEP.items()}

    def references(self, file: Path, with_gpu: Container[str] = ()) -> dict[str, str]:
        """Step -> reference by a registry's digest, for a cluster on which the steps `with_gpu` have GPUs.

        Raises:
            UsageError: images were never pushed; it names them.
        """
        wanted = {step: GPU_IMAGE[step] if step in with_gpu else name for step, name in IMAGE_OF_STEP.items()}
        pushed = {name: image.reference for name, image in self.built.items() if image.reference}
        missing = sorted({name for name in wanted.values() if name not in pushed})
        only = " --only train-gpu" if missing == ["train-gpu"] else ""
        self._expect(missing, "has no registry's digest", f"{only} --push REGISTRY", file)
        return {step: pushed[name] for step, name in wanted.items()}

    @staticmethod
    def _expect(missing: list[ImageName], what: str, how: str, file: Path) -> None:
        if missing:
            raise UsageError(f"{file}: {', '.join(missing)} {what}; try: ferryman images build{how}")


def read_lock(file: Path) -> ImageLock:
    """The lock in `file`.

    Raises:
        UsageError: there is none. SpecError: it is damaged (with the field's path).
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no {file}, which names the images; try: ferryman images build") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}; try: ferryman images build") from error
    return validate(ImageLock, document, str(file))


def write_lock(file: Path, lock: ImageLock) -> None:
    """Write `lock` to `file`, atomically."""
    atomic_write(file, f"{json.dumps(lock.model_dump(mode='json'), indent=1)}\n".encode())
