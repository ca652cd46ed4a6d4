"""`ferryman rollback` where nobody serves: the way back is walked all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from model_artifact import NAME, release_of, save_sorter, seal_model
from newcomer import User, strangers

from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.serving.record import GroupRecord, ModelPart, Released
from ferryman.serving.store import copy_version


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Somebody whose group went from version 1 to version 2, and whose server was ended long ago."""
    user = User(tmp_path)
    first = released(user, 1, (0, 1, 2))
    second = released(user, 2, (1, 0, 2))
    part = ModelPart(stable=second, previous=first, claimed=2)
    record = GroupRecord(generation=9, replicas=["replica-0"], models={NAME: part})
    (user.home / "groups" / "local" / "record.json").write_text(record.model_dump_json())
    return user


def released(user: User, number: int, columns: tuple[int, int, int]) -> Released:
    saved = save_sorter(user.folder / f"saved{number}", columns=columns)
    artifact = seal_model(user.folder / f"artifact{number}", saved)
    card = ModelCard.read(artifact / FILE)
    release = release_of(artifact, name=f"run{number}-1")
    copy_version(user.home / "groups" / "local", release, number)
    return Released(number=number, digest=release.digest, content=f"{number}{card.content}", release=release.name)


def test_a_model_goes_back_while_no_server_runs_and_nobody_is_left_behind(user: User) -> None:
    back = user.types("rollback", NAME, "--reason", "complaints about asters", "-o", "json")
    assert back.returncode == 0, back.stderr
    said = json.loads(back.stdout)
    assert (said["state"], said["version"]) == ("Promoted", 1)
    part = user.group()["models"][NAME]
    assert (part["stable"]["number"], part["phase"]) == (1, "idle")
    assert [content[0] for content in part["refused"]] == ["2"]
    asked = user.home / "groups" / "local" / "releases" / f"{said['release']}.json"
    assert json.loads(asked.read_text())["reason"] == "complaints about asters"
    assert not strangers(user.folder)
