"""Pushing: what can be a registry, and what its refusals mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker_stand_in import DockerStandIn

from ferryman.errors import UnavailableError, UsageError
from ferryman_pipelines.images.push import check_registry, push_image


@pytest.mark.parametrize(
    "name",
    [
        *("localhost:5000", "localhost/ferryman", "127.0.0.1:5000/a", "[::1]:5000/a", "registry:5000"),
        *("registry.example.com", "europe-docker.pkg.dev/my-project/my_repo", "docker.io/me"),
    ],
)
def test_a_host_with_or_without_a_path_is_a_registry(name: str) -> None:
    assert check_registry(name) == name
    assert check_registry(f"{name}/") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "me",
        "me/ferryman",
        "https://registry.example.com",
        "r.example.com/Team",
        "r.example.com/a:tag",
        "r .com/a",
    ],
)
def test_anything_else_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(
        UsageError, match=r"--push received .*expected a registry's host.*e\.g\. registry\.example\.com"
    ):
        check_registry(name)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerStandIn:
    found = DockerStandIn(tmp_path / "bin")
    monkeypatch.setenv("PATH", found.path)
    return found


def push(folder: Path) -> str:
    return push_image("train", "sha256:1", "r.example:5000/team", "0.1.0-abc", folder / "push.log", print)


def test_the_reference_is_the_digest_under_which_the_registry_gave_it_back(
    docker: DockerStandIn, tmp_path: Path
) -> None:
    digest = "sha256:" + "9".rjust(64, "0")
    assert push(tmp_path) == f"r.example:5000/team/train@{digest}"
    assert docker.asked == [
        "tag sha256:1 r.example:5000/team/train:0.1.0-abc",
        "push r.example:5000/team/train:0.1.0-abc",
        f"pull --quiet r.example:5000/team/train@{digest}",
    ]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("no basic auth credentials", "wants credentials; try: docker login r.example:5000 "),
        ("unauthorized: authentication required", "wants credentials; try: docker login"),
        ("denied: requested access to the resource is denied", "refuses this account"),
        ('Get "https://r.example:5000/v2/": http: server gave HTTP response to HTTPS client', "insecure-registries"),
        ("dial tcp: lookup r.example on 10.0.0.1:53: no such host", "no machine of that name"),
        ("dial tcp 10.0.0.2:5000: connect: connection refused", "nobody listens there"),
        ("x509: certificate signed by unknown authority", "/etc/docker/certs.d/r.example:5000"),
    ],
)
def test_a_refusal_says_what_it_means_and_what_docker_said(
    docker: DockerStandIn, tmp_path: Path, said: str, means: str
) -> None:
    docker.refuses("push", f"The push refers to repository [x]\n{said}\n")
    with pytest.raises(UnavailableError, match=r"train cannot be pushed to r\.example:5000/team: ") as refused:
        push(tmp_path)
    assert means in str(refused.value)
    assert said in str(refused.value)


def test_a_registry_that_does_not_give_it_back_has_not_got_it(docker: DockerStandIn, tmp_path: Path) -> None:
    docker.refuses("pull", "Error response from daemon: manifest unknown")
    with pytest.raises(UnavailableError, match=r"cannot be pushed.*manifest unknown"):
        push(tmp_path)


def test_a_refused_registry_keeps_its_password() -> None:
    with pytest.raises(UsageError, match=r"--push received 'https://\.\.\.@registry\.example/team', expected"):
        check_registry("https://me:hunter2@registry.example/team")
