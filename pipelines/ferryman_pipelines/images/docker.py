"""Docker's engine, by its own command: the one place that asks it. `DOCKER_HOST` and contexts hold as for a person."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

from ferryman.errors import UnavailableError

LIMIT: Final = 60.0
"""Seconds that a question to the engine may take; what takes longer (builds, pushes, steps) says so."""

UNREACHABLE: Final = ("Cannot connect to the Docker daemon", "error during connect", "permission denied while trying")
"""How the command begins to say that no engine answers it."""


class DockerError(UnavailableError):
    """The engine refused what was asked."""


def docker_command() -> str:
    """The command's path; UnavailableError when there is none."""
    found = shutil.which("docker")
    if not found:
        raise UnavailableError("docker is not on the PATH; install Docker's engine, or do without --on docker")
    return found


def ask(*words: str, limit: float = LIMIT, env: Mapping[str, str] | None = None) -> str:
    """What `docker WORDS` prints on its standard output, without the last line's end; `env` is added to ours.

    Raises:
        UnavailableError: no command, or no engine answers. DockerError: the engine refused; it says why.
    """
    try:
        done = subprocess.run(
            [docker_command(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"docker {words[0]} has not answered within {limit:.0f} s; is the engine well?"
        ) from None
    if done.returncode == 0:
        return done.stdout.rstrip("\n")
    said = done.stderr.strip() or f"exit code {done.returncode}"
    if any(text in said for text in UNREACHABLE):
        raise UnavailableError(
            f"docker's engine does not answer: {said.splitlines()[0]}; start it (systemctl start docker), join the group "
            "`docker`, or set DOCKER_HOST"
        )
    raise DockerError(f"docker {words[0]}: {said}")
