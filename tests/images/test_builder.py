"""What can build is docker with BuildKit and an engine; each of the others is refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker_stand_in import DockerStandIn

from ferryman.errors import UnavailableError
from ferryman_pipelines.images.builder import check_builder, engine_root


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerStandIn:
    found = DockerStandIn(tmp_path / "bin")
    monkeypatch.setenv("PATH", found.path)
    return found


def test_docker_with_buildkit_and_an_engine_will_do(docker: DockerStandIn) -> None:
    check_builder()


def test_no_builder_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="docker is not on the PATH; install Docker"):
        check_builder()


@pytest.mark.parametrize("name", ["podman", "buildah"])
def test_another_builder_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=f"^{name} cannot build these images, only docker can: .*docker.io"):
        check_builder()


def test_podman_that_calls_itself_docker_is_seen_through(docker: DockerStandIn) -> None:
    docker.says("version", "podman version 4.3.1")
    with pytest.raises(UnavailableError, match=r"bin/docker is podman, which cannot build"):
        check_builder()


def test_a_client_without_buildkit_says_what_to_install(docker: DockerStandIn) -> None:
    docker.refuses("buildkit", "ERROR: BuildKit is enabled but the buildx component is missing or broken.")
    with pytest.raises(
        UnavailableError, match=r"bin/docker \(version 20.10.24\) has no BuildKit.*docker-buildx-plugin"
    ):
        check_builder()


def test_an_engine_that_does_not_answer_is_said_before_anything_is_fetched(docker: DockerStandIn) -> None:
    docker.refuses("engine", "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?")
    with pytest.raises(UnavailableError, match="engine does not answer"):
        check_builder()


def test_only_an_engine_of_this_machine_has_a_disk_that_we_can_measure(docker: DockerStandIn, tmp_path: Path) -> None:
    docker.says("root", str(tmp_path))
    assert engine_root() == tmp_path
    docker.says("endpoint", "tcp://builder.example:2376")
    assert engine_root() is None
    docker.says("endpoint", "unix:///run/user/1/docker.sock")
    docker.says("root", "/inside/a/virtual/machine")
    assert engine_root() is None
