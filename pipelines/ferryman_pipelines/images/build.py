"""Building one image from the context."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ferryman.artifacts.code import code_digest
from ferryman.errors import UnavailableError
from ferryman_pipelines.images.builder import BUILDKIT
from ferryman_pipelines.images.follow import follow
from ferryman_pipelines.images.lock import CODE_LABEL, ImageName

LIMIT: Final = 3600.0
"""Seconds that one image may take: on two cores TensorFlow's takes one to two minutes."""

_STEP: Final = re.compile(r"#\d+ (\[[^\]]*\d+/\d+\] .*)")
"""How BuildKit's plain progress begins a step of the Dockerfile; those of its own have no count."""

_WIDTH: Final = 100
"""Characters of a step that are told: more are of no use to a person who waits."""

_MOUNT: Final = re.compile(r"--mount=\S+\s+")


def steps(told: Callable[[str], None]) -> Callable[[str], None]:
    """What hears BuildKit's progress and tells each step of the Dockerfile once, however many images share it."""
    seen = set[str]()

    def heard(line: str) -> None:
        step = _STEP.fullmatch(line)
        if step and step[1] not in seen:
            seen.add(step[1])
            text = _MOUNT.sub("", step[1]).rstrip()
            told(f"  {text if len(text) <= _WIDTH else text[: _WIDTH - 1] + '…'}")

    return heard


def build_image(
    name: ImageName,
    context: Path,
    arguments: Mapping[str, str],
    log: Path,
    told: Callable[[str], None],
    heard: Callable[[str], None],
) -> str:
    """The ID of the image, built as the Dockerfile's target `name`; each line of its progress is `heard`.

    No network: all that goes into an image lies in the context.

    Raises:
        DockerError: a step failed; with the last lines. UnavailableError: no engine, no more disk, or no more time.
    """
    file, begun = log.with_suffix(".id"), time.monotonic()
    words = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    # Our wheel is made of the checkout that this very code lies in.
    words.append(f"--label={CODE_LABEL}={code_digest()}")
    told(f"building {name}")
    try:
        follow(
            "build", "--progress=plain", "--network=none", f"--target={name}", f"--iidfile={file}",
            *words, str(context), log=log, limit=LIMIT, heard=heard, env=BUILDKIT,
        )  # fmt: skip
        found = file.read_text(encoding="utf-8").strip()
    except UnavailableError as error:
        raise type(error)(f"the image {name} cannot be built: {error}") from error
    finally:
        file.unlink(missing_ok=True)
    told(f"{name} built in {time.monotonic() - begun:.0f} s")
    return found
