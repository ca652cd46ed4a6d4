"""What the lock names, as the engine of this machine sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ferryman.errors import UnavailableError
from ferryman_pipelines.images.docker import DockerError, ask
from ferryman_pipelines.images.lock import IMAGES, ImageName, read_lock


@dataclass(frozen=True)
class Listed:
    """One image; `id` is empty when it was never built."""

    name: ImageName
    id: str = ""
    reference: str | None = None
    size: int | None = None
    """Bytes, with what it shares with others; None when the engine does not have it, or nobody could ask."""


def listed(file: Path) -> Iterator[Listed]:
    """Every image, built or not; that for GPUs only when it was built.

    Raises:
        UsageError, SpecError: there is no lock, or it is damaged.
    """
    built, engine = read_lock(file).built, True
    for name in (*IMAGES, *(name for name in built if name not in IMAGES)):
        image = built.get(name)
        if image is None:
            yield Listed(name)
            continue
        size = None
        try:
            size = int(ask("image", "inspect", "--format={{.Size}}", image.id)) if engine else None
        except DockerError:
            pass
        except UnavailableError:
            # Asked once is enough: it may take long to find that out.
            engine = False
        yield Listed(name, image.id, image.reference, size)
