"""What a pipeline in containers needs is looked for before anything starts: one clear error, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path

import engine
import pytest
from newcomer import User, flowers

from ferryman.errors import UnavailableError, UsageError
from ferryman.spec import load_targets
from ferryman.spec.targets import DockerTarget, targets_from
from ferryman_pipelines.images.lock import IMAGE_OF_STEP, IMAGES, Image, ImageLock, write_lock
from ferryman_pipelines.runners.engine import containers_on


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engine.Engine:
    return engine.install(tmp_path / "engine", monkeypatch)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    built = {name: Image(id=f"sha256:{number * 64}") for name, number in zip(IMAGES, "123456", strict=True)}
    write_lock(tmp_path / "images.lock.json", ImageLock(built=built))
    return tmp_path / "images.lock.json"


def target(**steps: dict[str, object]) -> DockerTarget:
    found = targets_from({"targets": 1, "docker": {"steps": steps}}).named("docker")
    assert isinstance(found, DockerTarget)
    return found


def test_each_step_gets_its_image_and_what_the_target_says(docker: engine.Engine, lock: Path) -> None:
    found = containers_on(target(train={"memory": "3Gi", "cpus": 1.5}), lock)
    assert set(found) == set(IMAGE_OF_STEP)
    assert (found["train"].image[-1], found["train"].memory, found["train"].cpus) == ("3", 3 << 30, 1.5)
    assert (found["gate"].image[-1], found["gate"].memory, found["gate"].cpus) == ("1", 512 << 20, None)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({"train": {"cpus": 4.5}}, r"steps\.train\.cpus: received 4\.5, and Docker's engine has 4"),
        ({"gate": {"memory": "5Mi"}}, r"steps\.gate\.memory: received 5242880 bytes, expected at least 6Mi"),
    ],
)
def test_what_no_container_can_have_is_refused(
    docker: engine.Engine, lock: Path, steps: dict[str, dict[str, object]], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        containers_on(target(**steps), lock)


def test_images_of_another_ferryman_are_refused(docker: engine.Engine, lock: Path) -> None:
    docker.fault("another-code")
    with pytest.raises(UsageError, match=r"image control holds another ferryman \(code 00000000\).*images build"):
        containers_on(target(), lock)


def test_an_image_that_is_not_there_is_named(docker: engine.Engine, lock: Path) -> None:
    (docker.folder / "missing").write_text(f"sha256:{'5' * 64}")
    with pytest.raises(UsageError, match=r"the image convert that .*images\.lock\.json names \(sha256:555555555555\)"):
        containers_on(target(), lock)


def test_an_engine_that_does_not_answer_is_unavailable(docker: engine.Engine, lock: Path) -> None:
    docker.fault("away")
    with pytest.raises(UnavailableError, match="does not answer"):
        containers_on(target(), lock)


def test_the_built_in_target_needs_no_file() -> None:
    assert isinstance(load_targets(None).named("docker"), DockerTarget)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("fault", "locked", "code", "words"),
    [("", False, 2, "ferryman images build"), ("away", True, 7, "docker's engine does not answer")],
)
def test_a_refusal_comes_before_anything_starts(
    docker: engine.Engine, lock: Path, command: str, fault: str, locked: bool, code: int, words: str
) -> None:
    user = User(lock.parent)
    docker.fault(fault)
    if not locked:
        lock.unlink()
    said = user.types(command, flowers(user.folder), "--on", "docker")
    assert (said.returncode, said.stdout, user.home.exists()) == (code, "", False), said.stderr
    assert words in said.stderr
    assert len(said.stderr.splitlines()) == 1
