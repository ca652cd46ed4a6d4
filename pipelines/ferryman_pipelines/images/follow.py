"""A long command of docker's, through the spawner: its log on disk, its lines as they come, the last ones of a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError
from ferryman.process import Finished, spawn
from ferryman_pipelines.images.docker import UNREACHABLE, DockerError, docker_command

TAIL: Final = 12
"""Lines of the log that a failure shows: BuildKit repeats the failed command's last ones at its end."""

FULL: Final = "no space left on device"
"""How each of docker, BuildKit and pip says so, but for the case of its letters."""


def follow(
    *words: str,
    log: Path,
    limit: float,
    env: Mapping[str, str] | None = None,
    heard: Callable[[str], None] = lambda line: None,
) -> None:
    """Run `docker WORDS` for `limit` seconds at most; each line of its log, which begins anew, is `heard`.

    Raises:
        DockerError: it failed; with the last lines. UnavailableError: no engine, no more disk, or no more time.
    """
    log.unlink(missing_ok=True)
    process = spawn([docker_command(), *words], log=log, env=env)
    try:
        _hear(process.poll, log, heard, time.monotonic() + limit)
        # It has ended, or has no time left.
        finished = process.wait(0)
    finally:
        process.kill()
    if not finished.ok:
        raise _failure(words[0], finished, log)


def _hear(ended: Callable[[], object], log: Path, heard: Callable[[str], None], deadline: float) -> None:
    with log.open(encoding="utf-8", errors="replace") as file:
        part, over = "", False
        while not over:
            # Asked before the last look, so that nothing is written after it.
            over = ended() is not None or time.monotonic() > deadline
            *lines, part = (part + file.read()).split("\n")
            for line in lines:
                heard(line.rstrip())
            if not over:
                time.sleep(0.1)


def _failure(verb: str, finished: Finished, log: Path) -> UnavailableError:
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if finished.timed_out:
        return UnavailableError(f"docker {verb} {finished.reason()}; its log: {log}")
    if any(FULL in line.lower() for line in lines):
        return UnavailableError(f"docker {verb}: the engine's disk is full; try: docker system prune; its log: {log}")
    if any(mark in line for line in lines for mark in UNREACHABLE):
        return UnavailableError(f"docker {verb}: the engine does not answer: {lines[-1]}; its log: {log}")
    return DockerError("\n    ".join([f"docker {verb} failed; its last lines (all of them: {log})", *lines[-TAIL:]]))
