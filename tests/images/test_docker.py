"""Asking Docker's engine: an answer, a refusal, and an engine that is not there are three things."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import UnavailableError
from ferryman_pipelines.images.docker import DockerError, ask


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_answer_is_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'echo "$1 and $2"; echo noise >&2')
    assert ask("image", "a b") == "image and a b"


def test_a_refusal_says_what_the_engine_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "echo 'Error: No such image: x' >&2; exit 1")
    with pytest.raises(DockerError, match="docker image: Error: No such image: x"):
        ask("image", "inspect", "x")


def test_an_engine_that_does_not_answer_is_not_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "echo 'Cannot connect to the Docker daemon at unix:///x.' >&2; exit 1")
    with pytest.raises(UnavailableError, match=r"does not answer.*DOCKER_HOST") as refused:
        ask("version")
    assert not isinstance(refused.value, DockerError)


def test_one_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "sleep 30")
    with pytest.raises(UnavailableError, match="has not answered within"):
        ask("version", limit=0.2)


def test_no_docker_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="docker is not on the PATH"):
        ask("version")
