"""What builds: Docker's engine with BuildKit. podman and buildah are refused by name: we never saw them build these."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError
from ferryman_pipelines.images.docker import DockerError, ask, docker_command

BUILDKIT: Final = {"DOCKER_BUILDKIT": "1"}
"""Asks a docker client below 23 for BuildKit, which the Dockerfile's mounts need; newer ones use it unasked."""

OTHERS: Final = ("podman", "buildah")

INSTALL: Final = "install Docker's engine (Debian: apt-get install docker.io; else docker-ce with docker-buildx-plugin)"


def check_builder() -> None:
    """Refuse to begin where nothing can build.

    Raises:
        UnavailableError: there is no docker, it is podman in disguise, it has no BuildKit, or no engine answers.
    """
    others = [name for name in OTHERS if shutil.which(name)]
    if not shutil.which("docker") and others:
        raise UnavailableError(f"{' and '.join(others)} cannot build these images, only docker can: {INSTALL}")
    command = docker_command()
    if "podman" in ask("--version").lower():
        raise UnavailableError(f"{command} is podman, which cannot build these images: {INSTALL}")
    try:
        ask("build", "--help", env=BUILDKIT)
    except DockerError as error:
        version = ask("version", "--format", "{{.Client.Version}}")
        raise UnavailableError(
            f"{command} (version {version}) has no BuildKit, which the Dockerfile needs: install docker-buildx-plugin, "
            "or put a client that has it (Debian's docker.io) first on the PATH"
        ) from error
    ask("version", "--format", "{{.Server.Version}}")


def engine_root() -> Path | None:
    """The folder where the engine keeps images, if that is a folder of this machine."""
    endpoint = ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    if not endpoint.startswith("unix://"):
        return None
    root = Path(ask("info", "--format", "{{.DockerRootDir}}"))
    return root if root.is_dir() else None
