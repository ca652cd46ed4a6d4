"""`ferryman images build` with the real engine and a real registry; the images are small, their base is the real one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_checkout import BASE, Checkout
from newcomer import User, eventually
from registry import registry
from wheels import locked

pytestmark = pytest.mark.docker


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    found = Checkout(tmp_path / "größe & co").make()
    yield found
    lock = found.folder / "work" / "images.lock.json"
    for image in json.loads(lock.read_text())["built"].values() if lock.exists() else ():
        subprocess.run(["docker", "image", "rm", "--force", image["id"]], capture_output=True, check=False)


def built(user: User) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((user.folder / "images.lock.json").read_text())["built"]
    return found


def says(image: str, code: str) -> str:
    return docker("run", "--rm", "--network=none", "--entrypoint=python3", image, "-c", code)


def test_each_image_holds_its_packages_the_users_and_ours_and_a_second_build_changes_nothing(
    checkout: Checkout,
) -> None:
    own = checkout.index.publish("mine", "2.0", {"mine.py": b"SAID = 'mine'\n"})
    (checkout.folder / "work" / "mine.lock").write_text(locked(own))
    user = checkout.user()
    done = user.types("images", "build", "--with", "mine.lock", "--serving-image", BASE)
    assert done.returncode == 0, done.stderr
    first = built(user)
    code = "import shared, ours, mine, for_train; print(shared.SAID, ours.SAID, mine.SAID)"
    assert says(first["train"]["id"], code) == "shared ours mine"
    labels = json.loads(docker("image", "inspect", "--format={{json .Config.Labels}}", first["serve"]["id"]))
    assert (labels["org.opencontainers.image.version"], labels["server"]) == ("0.1.0", BASE)
    # Without an index: nothing is fetched twice.
    shutil.rmtree(checkout.index.folder)
    again = checkout.user(PIP_FIND_LINKS="").types("images", "build", "--with", "mine.lock", "--serving-image", BASE)
    assert (again.returncode, built(user)) == (0, first), again.stderr


def test_a_step_that_fails_is_shown_by_its_own_last_words(checkout: Checkout) -> None:
    text = checkout.dockerfile.read_text()
    checkout.dockerfile.write_text(f"{text}RUN echo thinking && echo no such thing as a free lunch >&2 && exit 3\n")
    done = checkout.user().types("images", "build", "--only", "control", "--only", "serve")
    assert done.returncode == 7
    assert "the image serve cannot be built: docker build failed" in done.stderr
    assert "no such thing as a free lunch" in done.stderr.partition("cannot be built")[2]
    assert list(built(checkout.user())) == ["control"]


def test_no_step_of_a_build_has_a_network(checkout: Checkout) -> None:
    text = checkout.dockerfile.read_text()
    look = 'import socket; print("seen", [name for _, name in socket.if_nameindex()])'
    checkout.dockerfile.write_text(f"{text}RUN python3 -c '{look}'\n")
    assert checkout.user().types("images", "build", "--only", "serve").returncode == 0
    log = checkout.folder / "work" / ".ferryman" / "cache" / "images" / "serve.log"
    assert "seen ['lo']" in log.read_text()


def test_a_base_without_python_is_refused_before_anything_is_fetched(checkout: Checkout) -> None:
    bare = checkout.folder / "bare"
    bare.mkdir()
    (bare / "Dockerfile").write_text(f"FROM {BASE}\nRUN rm /usr/bin/python3*\n")
    image = docker("build", "--quiet", "--network=none", str(bare))
    try:
        done = checkout.user().types("images", "build", "--base", image)
    finally:
        docker("image", "rm", image)
    assert done.returncode == 2
    assert "has no python3 that runs" in done.stderr
    assert "expected Python" in done.stderr
    assert not (checkout.folder / "work" / ".ferryman").exists()


def test_what_is_pushed_comes_back_by_its_digest_into_an_engine_that_forgot_it(
    checkout: Checkout, tmp_path: Path
) -> None:
    user = checkout.user()
    with registry(tmp_path / "registry") as address:
        done = user.types("images", "build", "--only", "train", "--push", f"{address}/team/ferryman")
        assert done.returncode == 0, done.stderr
        image, reference = built(user)["train"]["id"], built(user)["train"]["reference"]
        assert reference.startswith(f"{address}/team/ferryman/train@sha256:")
        assert reference.partition("@")[2] != image
        docker("image", "rm", "--force", image)
        assert docker("image", "ls", "--quiet", "--no-trunc", f"{address}/team/ferryman/train") == ""
        docker("pull", "--quiet", reference)
        assert says(reference, "import for_train, ours; print(ours.SAID)") == "ours"
        assert docker("image", "inspect", "--format={{.Id}}", reference) == image


def test_a_registry_that_wants_a_password_or_is_not_there_is_one_clear_error_each(
    checkout: Checkout, tmp_path: Path
) -> None:
    user = checkout.user(DOCKER_CONFIG=str(tmp_path / "no-credentials"))
    with registry(tmp_path / "registry", locked=True) as address:
        refused = user.types("images", "build", "--only", "control", "--push", address)
    gone = user.types("images", "build", "--only", "control", "--push", address)
    assert (refused.returncode, f"docker login {address}" in refused.stderr) == (7, True), refused.stderr
    assert (gone.returncode, "nobody listens there" in gone.stderr) == (7, True), gone.stderr
    assert built(user)["control"]["reference"] is None


def sleeps(process: Path) -> bool:
    try:
        return (process / "cmdline").read_bytes() == b"sleep\0317\0"
    except OSError:
        return False


def test_ctrl_c_ends_the_build_and_leaves_no_container_and_no_context(checkout: Checkout) -> None:
    text = checkout.dockerfile.read_text()
    checkout.dockerfile.write_text(f"{text}RUN sleep 317\n")
    log = checkout.folder / "log"
    building = checkout.user().starts("images", "build", "--only", "serve", log=log)
    eventually(lambda: "RUN sleep 317" in log.read_text(), 60)
    os.kill(building.pid, signal.SIGINT)
    assert building.wait(30) == 130
    eventually(lambda: not any(map(sleeps, Path("/proc").glob("[0-9]*"))), 30)
    assert list((checkout.folder / "work" / ".ferryman" / "cache" / "images").glob(".*")) == []
    assert not (checkout.folder / "work" / "images.lock.json").exists()
