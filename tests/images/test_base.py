"""The base image is looked at before anything is built on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docker_stand_in import DockerStandIn
from packaging.utils import parse_wheel_filename

from ferryman.errors import UnavailableError, UsageError
from ferryman_pipelines.images.base import Base, default_base, look_at_base

PYTHON = {"version": "3.11.2", "machine": "aarch64", "libc": ["glibc", "2.36"], "kind": "CPython", "venv": True}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerStandIn:
    found = DockerStandIn(tmp_path / "bin")
    monkeypatch.setenv("PATH", found.path)
    return found


def test_a_base_says_what_its_python_is(docker: DockerStandIn) -> None:
    docker.says("python", json.dumps({**PYTHON, "version": "3.12.7"}))
    base = look_at_base("my/base")
    assert (base.python, base.machine, base.glibc) == ((3, 12), "aarch64", (2, 36))
    assert (base.environment["python_version"], base.environment["platform_machine"]) == ("3.12", "aarch64")
    assert not any(asked.startswith("pull") for asked in docker.asked)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": "3.9.2"}, r"my/base has Python 3\.9\.2; expected Python .*>=3\.11.*--base"),
        ({"version": "3.14.0"}, r"has Python 3\.14\.0; expected Python .*<3\.14"),
        ({"kind": "PyPy"}, "has PyPy, for which TensorFlow has no wheels"),
        ({"libc": ["", ""]}, "a C library that is not glibc, .*Debian"),
        ({"venv": False}, "cannot make a virtual environment.*python3-venv"),
    ],
)
def test_one_that_cannot_carry_the_images_is_refused(
    docker: DockerStandIn, changed: dict[str, object], message: str
) -> None:
    docker.says("python", json.dumps({**PYTHON, **changed}))
    with pytest.raises(UsageError, match=message):
        look_at_base("my/base")


def test_one_without_python_is_refused(docker: DockerStandIn) -> None:
    docker.refuses("run", 'docker: failed\nexec: "python3": executable file not found in $PATH: unknown.')
    with pytest.raises(UsageError, match=r'has no python3 that runs: exec: "python3": .*expected Python .*3\.11'):
        look_at_base("my/base")


def test_one_that_is_not_here_is_pulled_and_one_that_cannot_be_is_said(docker: DockerStandIn) -> None:
    docker.refuses("inspect", "Error: No such image: my/base")
    look_at_base("my/base")
    assert "pull --quiet my/base" in docker.asked
    docker.refuses("pull", "Error response from daemon: no such host")
    with pytest.raises(
        UnavailableError, match=r"my/base is neither here nor can it be pulled: .*no such host; try --base"
    ):
        look_at_base("my/base")


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("x-1-py3-none-any.whl", True),
        ("x-1-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("x-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("x-1-cp39-abi3-manylinux2014_x86_64.whl", True),
        ("x-1-cp311-cp311-manylinux_2_39_x86_64.whl", False),
        ("x-1-cp312-cp312-manylinux_2_28_x86_64.whl", False),
        ("x-1-cp311-cp311-manylinux_2_28_aarch64.whl", False),
        ("x-1-cp311-cp311-musllinux_1_2_x86_64.whl", False),
    ],
)
def test_it_takes_the_wheels_of_its_python_its_processor_and_its_c_library(wheel: str, fits: bool) -> None:
    base = Base("my/base", "3.11.2", "x86_64", (2, 36))
    assert (not base.tags.isdisjoint(parse_wheel_filename(wheel)[3])) is fits


def test_the_dockerfile_names_its_own_base(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# ARG BASE_IMAGE=no\nARG OTHER=1\nARG BASE_IMAGE=python:3.11-slim\nFROM x\n")
    assert default_base(tmp_path / "Dockerfile") == "python:3.11-slim"
