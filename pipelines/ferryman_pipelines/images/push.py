"""Handing an image to a registry, and hearing from it under which digest it keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError, UsageError
from ferryman.problems import without_secret
from ferryman_pipelines.images.docker import DockerError, ask
from ferryman_pipelines.images.follow import follow
from ferryman_pipelines.images.lock import ImageName

LIMIT: Final = 3600.0
"""Seconds that one push may take: 2 GB at 0.6 MB/s."""

_HOST: Final = r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?"
_PART: Final = r"[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*"
_REGISTRY: Final = re.compile(rf"{_HOST}(/{_PART})*")
"""Source: distribution/reference, grammar; a first part without a dot or a port would be a name on Docker Hub."""

_DIGEST: Final = re.compile(r"digest: (sha256:[0-9a-f]{64})")

REFUSALS: Final = {
    "no basic auth credentials": "it wants credentials; try: docker login {host}",
    "authentication required": "it wants credentials; try: docker login {host}",
    "unauthorized": "it refuses the credentials; try: docker login {host}",
    "denied": "it refuses this account (docker login {host}), or has no such project: ask who runs it",
    "server gave HTTP response": "it speaks plain HTTP; name it in the engine's insecure-registries, or give it TLS",
    "certificate": "its certificate is not one that the engine trusts; put its authority into /etc/docker/certs.d/{host}",
    "no such host": "there is no machine of that name",
    "connection refused": "nobody listens there",
    "timeout": "it does not answer",
}
"""What an engine says of a registry, and what that means."""


def check_registry(name: str) -> str:
    """`name`, without a slash at its end; UsageError when it cannot name a place in a registry."""
    found = name.rstrip("/")
    if not _REGISTRY.fullmatch(found):
        hint = (
            "without https://" if "://" in name else "Docker Hub is docker.io/NAME; lower-case letters after the host"
        )
        raise UsageError(
            f"--push received {without_secret(name)!r}, expected a registry's host and a path there, e.g. "
            f"registry.example.com/team/ferryman ({hint})"
        )
    return found


def push_image(name: ImageName, image: str, registry: str, tag: str, log: Path, told: Callable[[str], None]) -> str:
    """`REGISTRY/NAME@sha256:...` of the image with this ID, after the registry gave it back under that digest.

    Raises:
        UnavailableError: the registry refuses or does not answer.
    """
    repository = f"{registry}/{name}"
    told(f"pushing {repository}:{tag}")
    ask("tag", image, f"{repository}:{tag}")
    try:
        follow("push", f"{repository}:{tag}", log=log, limit=LIMIT)
        digests = _DIGEST.findall(log.read_text(encoding="utf-8", errors="replace"))
        if not digests:
            raise DockerError(f"docker push told no digest (its log: {log})")
        reference = f"{repository}@{digests[-1]}"
        # The engine works a digest out by itself; only what comes back under it is known to be there.
        ask("pull", "--quiet", reference, limit=LIMIT)
    except DockerError as error:
        raise UnavailableError(f"{name} cannot be pushed to {registry}: {_reason(str(error), registry)}") from error
    return reference


def _reason(text: str, registry: str) -> str:
    host = registry.partition("/")[0]
    known = next((reason for mark, reason in REFUSALS.items() if mark in text), None)
    last = text.splitlines()[-1].strip()
    return f"{known.format(host=host)} (docker said: {last[:300]})" if known else text
