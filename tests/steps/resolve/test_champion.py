from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferryman.errors import UnavailableError, UsageError
from ferryman.serving.record import GroupRecord
from ferryman.steps.resolve.champion import what_serves

STABLE = {"number": 7, "digest": "d7", "content": "c7", "release": "r7-1"}
PREVIOUS = {"number": 5, "digest": "d5", "content": "c5", "release": "r5-1"}
CANDIDATE = {"number": 8, "digest": "d8", "content": "c8", "release": "r8-1"}
RECORD: dict[str, Any] = {
    "epoch": 3,
    "generation": 41,
    "replicas": ["local-0"],
    "models": {
        "mnist": {"generation": 40, "stable": STABLE, "previous": PREVIOUS, "refused": ["c6"]},
        "other": {"generation": 12, "stable": {**STABLE, "number": 2, "digest": "o2", "content": "oc2"}},
        "fresh": {"generation": 39, "phase": "probe", "candidate": CANDIDATE},
    },
}


def leave(folder: Path, record: dict[str, Any] = RECORD, place: str = "record.json") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    GroupRecord.model_validate(record).write(path)
    return folder


def test_the_records_stable_version_serves_whether_a_server_runs_or_not(tmp_path: Path) -> None:
    serves = what_serves(str(leave(tmp_path)), "mnist")
    assert serves is not None
    assert (serves.model, serves.version, serves.digest, serves.content) == ("mnist", 7, "d7", "c7")
    assert (serves.epoch, serves.generation) == (3, 41)
    assert serves.path == str(tmp_path / "store" / "mnist" / "7")
    assert serves.refused == ["c6"]


def test_each_model_of_the_group_has_its_own_champion(tmp_path: Path) -> None:
    serves = what_serves(str(leave(tmp_path)), "other")
    assert serves is not None
    assert (serves.version, serves.digest, serves.refused) == (2, "o2", [])


def test_a_group_is_named_by_path_or_by_uri(tmp_path: Path) -> None:
    folder = leave(tmp_path / "größe 1")
    assert what_serves(folder.as_uri(), "mnist") == what_serves(str(folder), "mnist")
    with pytest.raises(UsageError, match="gs"):
        what_serves("gs://bucket/group", "mnist")


@pytest.mark.parametrize("model", ["fresh", "unknown"])
def test_before_its_first_commit_nothing_serves(tmp_path: Path, model: str) -> None:
    leave(tmp_path, place="agents/local-0/record.json")
    assert what_serves(str(leave(tmp_path)), model) is None


def test_a_group_that_never_was_serves_nothing(tmp_path: Path) -> None:
    assert what_serves(str(tmp_path / "new"), "mnist") is None
    assert not (tmp_path / "new").exists()


def test_a_lost_record_is_not_taken_for_a_first_release(tmp_path: Path) -> None:
    leave(tmp_path, place="agents/local-0/record.json")
    with pytest.raises(UnavailableError, match=r"lost.*ferryman serve"):
        what_serves(str(tmp_path), "mnist")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"epoch": 1}'])
def test_a_torn_record_is_not_taken_for_a_first_release(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(UnavailableError, match=r"torn.*ferryman serve"):
        what_serves(str(tmp_path), "mnist")


def test_an_agents_torn_copy_alone_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "agents" / "local-0").mkdir(parents=True)
    (tmp_path / "agents" / "local-0" / "record.json").write_bytes(b"{")
    assert what_serves(str(tmp_path), "mnist") is None
