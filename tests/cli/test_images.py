"""`ferryman images` as it is typed, with a docker that stands in; tests/containers does the same with the real one."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker_stand_in import DockerStandIn
from image_checkout import IMAGES, Checkout
from wheels import locked

from ferryman.storage.lock import hold
from ferryman_pipelines.images.lock import Image, ImageLock, write_lock


@dataclass
class Yard:
    """A checkout, a docker, and somebody who builds."""

    checkout: Checkout
    docker: DockerStandIn

    @property
    def work(self) -> Path:
        return self.checkout.user().folder

    def types(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.checkout.user(PATH=self.docker.path).types("images", *words)

    def built(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / "images.lock.json").read_text())["built"]
        return found

    def builds(self) -> list[str]:
        return [line.split("--target=")[1].split()[0] for line in self.docker.asked if line.startswith("build --prog")]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(Checkout(tmp_path).make(), DockerStandIn(tmp_path / "bin"))


def test_all_images_are_built_and_noted_by_their_ids(yard: Yard) -> None:
    done = yard.types("build", "--serving-image", "tensorflow/serving:2.19.1")
    assert done.returncode == 0, done.stderr
    assert tuple(yard.builds()) == IMAGES
    assert yard.built()["evaluate"] == {"id": f"sha256:{len('evaluate'):064d}", "reference": None}
    assert done.stdout.splitlines()[1].split() == ["control", "000000000000", "1.0", "kB"]
    (build,) = [line for line in yard.docker.asked if "--target=serve" in line]
    for argument in (
        "BASE_IMAGE=localhost/python-base:3.11",
        "VERSION=0.1.0",
        "SERVING_IMAGE=tensorflow/serving:2.19.1",
    ):
        assert f"--build-arg {argument}" in build
    assert "--network=none" in build
    assert f"tag sha256:{5:064d} localhost/ferryman/train:0.1.0-{'0' * 12}" in yard.docker.asked
    # Outside of git there is no commit to name.
    assert "REVISION=" not in build
    assert "note:" not in done.stderr


def test_the_context_holds_what_the_dockerfile_asks_for_and_nothing_else(yard: Yard) -> None:
    own = yard.checkout.index.publish("mine", "2.0", {"mine.py": b""})
    (yard.work / "mine.lock").write_text(locked(own))
    yard.types("build", "--only", "train", "--with", "mine.lock")
    context = yard.docker.context("train")
    found = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    wheels = {f"wheels/{name}-1.0-py3-none-any.whl" for name in ("shared", *(f"for_{image}" for image in IMAGES))}
    assert found == {
        *("Dockerfile", "app/ferryman-0.1.0-py3-none-any.whl", *wheels, *(f"locks/{name}.lock" for name in IMAGES)),
        *("requirements/requirements.lock", "requirements/mine-2.0-py3-none-any.whl"),
    }
    yard.types("build", "--only", "control")
    assert (yard.docker.context("control") / "requirements" / "requirements.lock").read_bytes() == b""
    assert [path.name for path in (yard.work / ".ferryman" / "cache" / "images").glob(".*")] == []


def test_what_exceeds_its_budget_is_noted_and_kept(yard: Yard) -> None:
    yard.docker.says("size", str(501 * 10**6))
    done = yard.types("build", "--only", "train")
    assert (done.returncode, list(yard.built())) == (0, ["train"])
    assert "note: the image train takes 501 MB, its budget is 500 MB" in done.stderr


def test_the_image_for_gpus_is_built_when_it_is_named_and_its_wheels_lie_in_no_other_context(yard: Yard) -> None:
    nvidia = yard.checkout.index.publish("nvidia", "1.0", {})
    yard.checkout.lock("train-gpu").write_text(locked(nvidia))
    assert yard.types("build", "--only", "control").returncode == 0
    assert yard.types("build", "--only", "train-gpu").returncode == 0
    assert yard.builds() == ["control", "train-gpu"]
    found = [(yard.docker.context(name) / "wheels" / nvidia.name).exists() for name in ("control", "train-gpu")]
    assert found == [False, True]
    assert yard.types().stdout.splitlines()[-1].split()[0] == "train-gpu"


def test_a_failed_build_is_one_error_with_its_last_lines_and_the_lock_stays_true(yard: Yard) -> None:
    # Torn before: to build is the way out of that.
    (yard.work / "images.lock.json").write_text("{")
    yard.docker.refuses("build.train", "#9 1.2 ERROR: no such wheel\nexecutor failed running [/bin/sh]: exit code: 1\n")
    done = yard.types("build")
    assert done.returncode == 7
    assert "ferryman: the image train cannot be built: docker build failed" in done.stderr
    assert done.stderr.rstrip().endswith("exit code: 1")
    assert "ERROR: no such wheel" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(yard.built()) == ["control", "prepare"]


def test_a_registrys_digest_stays_while_the_image_is_the_same_and_goes_when_it_is_another(yard: Yard) -> None:
    assert yard.types("build", "--only", "train", "--push", "r.example/team").returncode == 0
    reference = yard.built()["train"]["reference"]
    assert reference == f"r.example/team/train@sha256:{9:064d}"
    assert f"tag sha256:{5:064d} r.example/team/train:0.1.0-{'0' * 12}" in yard.docker.asked
    yard.docker.refuses("push", "denied: requested access to the resource is denied\n")
    refused = yard.types("build", "--only", "train", "--only", "control", "--push", "r.example/team")
    assert (refused.returncode, "control cannot be pushed to r.example/team" in refused.stderr) == (7, True)
    assert (yard.built()["train"]["reference"], yard.built()["control"]["reference"]) == (reference, None)
    yard.docker.says("id.train", "77")
    yard.types("build", "--only", "train")
    assert yard.built()["train"] == {"id": f"sha256:{77:064d}", "reference": None}


def test_a_wheel_that_does_not_match_its_hash_stops_everything_before_a_build(yard: Yard) -> None:
    yard.checkout.index.publish("for_serve", "1.0", {"for_serve.py": b"other bytes"})
    done = yard.types("build", "--only", "control")
    assert done.returncode == 5
    assert "for-serve==1.0" in done.stderr
    assert yard.builds() == []


def test_what_a_user_needs_may_not_contradict_what_an_image_holds(yard: Yard) -> None:
    (yard.work / "mine.lock").write_text(locked(yard.checkout.index.publish("shared", "0.9", {})))
    done = yard.types("build", "--with", "mine.lock")
    assert (done.returncode, "shared==0.9 against 1.0" in done.stderr, yard.docker.asked) == (2, True, [])


def test_two_builds_in_one_home_do_not_mix(yard: Yard) -> None:
    with hold(yard.work / ".ferryman" / "cache" / "images" / "lock", "never"):
        done = yard.types("build")
    assert (done.returncode, "builds images from this home" in done.stderr) == (7, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "trian"], "--only received 'trian': there is no such image; did you mean 'train'?"),
        (["--push", "https://r.example"], "--push received 'https://r.example', expected a registry's host"),
        (["--with", "none.lock"], "none.lock cannot be read: No such file"),
    ],
)
def test_what_is_mistyped_is_said_before_docker_is_asked(yard: Yard, words: list[str], message: str) -> None:
    done = yard.types("build", *words)
    assert (done.returncode, message in done.stderr, yard.docker.asked) == (2, True, [])


def test_what_was_never_built_and_what_the_engine_lost_are_listed(yard: Yard) -> None:
    ids = {
        "control": Image(id=f"sha256:{1:064d}"),
        "train": Image(id=f"sha256:{2:064d}", reference=f"r.example/x@sha256:{3:064d}"),
    }
    write_lock(yard.work / "images.lock.json", ImageLock(built=ids))
    lines = [line.split() for line in yard.types().stdout.splitlines()]
    assert lines[1:3] == [["control", "0" * 12, "1.0", "kB"], ["prepare", "not", "built"]]
    yard.docker.refuses("inspect", "Error: No such image")
    told = json.loads(yard.types("-o", "json").stdout)
    assert told["images"][2] == {"name": "train", **ids["train"].model_dump(), "size": None}


def test_without_a_lock_the_listing_says_how_to_make_one(yard: Yard) -> None:
    done = yard.types()
    assert (done.returncode, "try: ferryman images build" in done.stderr) == (2, True)
