"""Releases are created once and never changed; a hostile name goes nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ferryman.controller.controller import Controller
from ferryman.controller.ports import FolderRecord
from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import Ended, GroupRecord, ModelPart
from ferryman.serving.release import (
    Release,
    create_release,
    read_aborts,
    read_end,
    read_ends,
    read_releases,
    request_abort,
    write_end,
)


def release(name: str = "run1-1", **changes: Any) -> Release:
    fields = {
        "model": "birds",
        "created": "2026-01-01T00:00:01Z",
        "artifact": "/a",
        "digest": "d" * 64,
        "content": "c" * 64,
    }
    return Release.model_validate({"name": name, **fields, **changes})


def test_the_same_release_asked_for_again_is_no_second_one_and_keeps_its_first_moment(tmp_path: Path) -> None:
    assert create_release(tmp_path, release())
    assert not create_release(tmp_path, release(created="2026-01-02T00:00:00Z"))
    assert read_releases(tmp_path) == [release()]


@pytest.mark.parametrize(
    "changes", [{"digest": "e" * 64}, {"model": "fish"}, {"champion_version": 2}, {"absolute": 0.5}, {"reason": "x"}]
)
def test_another_release_with_a_taken_name_is_refused_and_the_first_stays_to_the_byte(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    create_release(tmp_path, release())
    before = (tmp_path / "releases" / "run1-1.json").read_bytes()
    with pytest.raises(ConflictError, match=r"run1-1\.json: another release has this name already") as caught:
        create_release(tmp_path, release(**changes))
    assert caught.value.exit_code == 6
    assert (tmp_path / "releases" / "run1-1.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["run1-1.json"]


HOSTILE = ["", ".", "..", "../x", "a/b", "a/../../b", "/etc/x", ".hidden", "-rf", "a\nb", "a\n", "a\0b", "a b", "ö"]


@pytest.mark.parametrize("name", [*HOSTILE, "x.end", "a" * 192])
def test_a_hostile_name_makes_no_release(name: str) -> None:
    with pytest.raises(ValidationError):
        release(name)


@pytest.mark.parametrize("model", [*HOSTILE, "Birds", "a.b", "a_b", "a" * 64])
def test_a_hostile_model_makes_no_release(model: str) -> None:
    with pytest.raises(ValidationError):
        release(model=model)


@pytest.mark.parametrize("name", ["../../outside", "a/b", "..", "a\0b"])
def test_an_abort_of_a_hostile_name_writes_nothing(name: str, tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    with pytest.raises(ValidationError):
        request_abort(group, name, "a person said so")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["group"]


def test_the_longest_name_still_makes_a_file(tmp_path: Path) -> None:
    name = "a" * 191
    assert create_release(tmp_path, release(name))
    request_abort(tmp_path, name, "too long")
    write_end(tmp_path, name, Ended(state="RolledBack"))
    assert [found.name for found in read_releases(tmp_path)] == [name]
    assert read_aborts(tmp_path) == {name: "too long"}
    assert read_end(tmp_path, name) == Ended(state="RolledBack")


@pytest.mark.parametrize(
    "changes",
    [{"kind": "rollback"}, {"artifact": ""}, {"digest": ""}, {"content": ""}, {"kind": "retire"}, {"unknown": 1}],
)
def test_a_release_that_lacks_what_its_kind_needs_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        release(**changes)


def test_releases_come_oldest_first_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    create_release(tmp_path, release("a-1", created="2026-01-03T00:00:00Z"))
    create_release(tmp_path, release("z-1", created="2026-01-01T00:00:00Z"))
    create_release(tmp_path, release("y-1", created="2026-01-01T00:00:00Z"))
    place = tmp_path / "releases"
    (place / "torn-1.json").write_text(release("torn-1").model_dump_json()[:-9])
    (place / "empty-1.json").write_text("")
    (place / "other-1.json").write_text(release("b-1").model_dump_json())
    (place / "hostile-1.json").write_text(json.dumps({**release().model_dump(), "name": "../hostile-1"}))
    (place / "newer-1.json").write_text(json.dumps({**release("newer-1").model_dump(), "schema_version": 2}))
    (place / ".hidden.json").write_text(release("hidden").model_dump_json())
    write_end(tmp_path, "a-1", Ended(state="Promoted", version=4))
    assert [found.name for found in read_releases(tmp_path)] == ["y-1", "z-1", "a-1"]


def test_how_a_release_ended_is_told_once_and_stays(tmp_path: Path) -> None:
    create_release(tmp_path, release())
    assert read_end(tmp_path, "run1-1") is None
    assert read_ends(tmp_path) == {}
    write_end(tmp_path, "run1-1", Ended(state="Refused", why="golden", version=7))
    write_end(tmp_path, "run1-1", Ended(state="Promoted", version=8))
    assert read_end(tmp_path, "run1-1") == Ended(state="Refused", why="golden", version=7)
    assert read_ends(tmp_path) == {"birds": {"run1-1": Ended(state="Refused", why="golden", version=7)}}


def test_the_first_reason_of_an_abort_stays(tmp_path: Path) -> None:
    request_abort(tmp_path, "run1-1", "first")
    request_abort(tmp_path, "run1-1", "second")
    (tmp_path / "requests" / "abort-torn.json").write_text("{")
    assert read_aborts(tmp_path) == {"run1-1": "first"}


@pytest.mark.parametrize("torn", [b"", b"{", b'{"state": "Vanished"}'])
def test_an_end_that_is_torn_stops_no_controller_and_is_told_again_from_the_record(torn: bytes, tmp_path: Path) -> None:
    create_release(tmp_path, release())
    create_release(tmp_path, release("run2-1"))
    write_end(tmp_path, "run2-1", Ended(state="Refused", why="golden"))
    (tmp_path / "releases" / "run1-1.end.json").write_bytes(torn)
    with pytest.raises(ArtifactError, match=r"run1-1\.end\.json: not a readable Ended document"):
        read_end(tmp_path, "run1-1")
    assert read_ends(tmp_path) == {"birds": {"run2-1": Ended(state="Refused", why="golden")}}
    ended = {"run1-1": Ended(state="Promoted", version=4), "run2-1": Ended(state="Refused", why="golden")}
    record = GroupRecord(replicas=["replica-0"], models={"birds": ModelPart(ended=ended)})
    (tmp_path / "record.json").write_text(record.model_dump_json())
    assert Controller(tmp_path, FolderRecord(tmp_path), ["replica-0"]).step() == record
    assert read_ends(tmp_path) == {"birds": ended}
