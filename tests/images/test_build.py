"""Building one image: its ID, its progress, and what a failure says."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker_stand_in import DockerStandIn

from ferryman.artifacts.code import code_digest
from ferryman.errors import UnavailableError
from ferryman_pipelines.images.build import build_image, steps
from ferryman_pipelines.images.docker import DockerError
from ferryman_pipelines.images.lock import CODE_LABEL


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerStandIn:
    found = DockerStandIn(tmp_path / "bin")
    monkeypatch.setenv("PATH", found.path)
    return found


def build(folder: Path, told: list[str]) -> str:
    (folder / "context").mkdir(exist_ok=True)
    log = folder / "train.log"
    return build_image("train", folder / "context", {"VERSION": "2"}, log, told.append, steps(told.append))


def test_the_id_is_what_the_engine_wrote_and_each_step_is_told_once(docker: DockerStandIn, tmp_path: Path) -> None:
    docker.says("id.train", "42")
    told: list[str] = []
    assert build(tmp_path, told) == f"sha256:{42:064d}"
    assert told[:2] == ["building train", "  [train 1/1] RUN true"]
    assert "#4 [train 1/1] RUN true" in (tmp_path / "train.log").read_text()
    assert not list(tmp_path.glob("*.id"))


def test_an_image_says_which_code_of_ours_it_holds(docker: DockerStandIn, tmp_path: Path) -> None:
    build(tmp_path, [])
    (words,) = (line.split() for line in docker.asked if line.startswith("build --progress"))
    assert f"--label={CODE_LABEL}={code_digest()}" in words


def test_a_step_that_images_share_is_told_once_without_its_mounts_and_not_at_length() -> None:
    told: list[str] = []
    heard = steps(told.append)
    for line in (
        "#1 [internal] load build definition from Dockerfile",
        "#7 [common 2/3] RUN --mount=type=bind,source=wheels,target=/wheels useradd us",
        "#7 CACHED",
        "#9 [common 2/3] RUN --mount=type=bind,source=wheels,target=/wheels useradd us",
        f"#10 [train 1/1] RUN {'x' * 200}",
    ):
        heard(line)
    assert told == ["  [common 2/3] RUN useradd us", f"  [train 1/1] RUN {'x' * 83}…"]


def test_a_failure_shows_the_last_lines_alone_and_where_all_of_them_lie(docker: DockerStandIn, tmp_path: Path) -> None:
    docker.refuses("build.train", "".join(f"line {number}\n" for number in range(100)))
    with pytest.raises(DockerError, match="the image train cannot be built") as failed:
        build(tmp_path, [])
    lines = str(failed.value).splitlines()
    assert [line.strip() for line in lines[1:]] == [f"line {number}" for number in range(88, 100)]
    assert str(tmp_path / "train.log") in lines[0]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (
            "#9 ERROR: [Errno 28] No space left on device: '/opt/venv/x'",
            "the engine's disk is full; try: docker system",
        ),
        ("failed to copy: write /var/lib/docker/x: no space left on device", "the engine's disk is full"),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "engine does not answer"),
    ],
)
def test_what_is_no_fault_of_the_dockerfile_is_told_apart(
    docker: DockerStandIn, tmp_path: Path, said: str, means: str
) -> None:
    docker.refuses("build.train", f"{said}\n")
    with pytest.raises(UnavailableError, match=f"the image train cannot be built: docker build: .*{means}") as failed:
        build(tmp_path, [])
    assert not isinstance(failed.value, DockerError)
