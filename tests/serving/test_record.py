"""The group record as it lies on disk: absent, empty, torn, of a newer ferryman; and who obeys which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ferryman.controller.ports import FolderRecord
from ferryman.errors import ArtifactError, ConflictError, UnavailableError
from ferryman.serving.record import (
    FILE,
    GroupRecord,
    ModelPart,
    Released,
    attitude,
    parse_or_none,
    read_group,
    serving_now,
)

STABLE = Released(number=4, digest="d" * 64, content="c" * 64, release="run1-1")
PREVIOUS = Released(number=2, digest="e" * 64, content="b" * 64, release="run0-1")


def record(epoch: int = 3, generation: int = 8) -> GroupRecord:
    part = ModelPart(generation=7, stable=STABLE, previous=PREVIOUS, claimed=5, refused=["a" * 64])
    return GroupRecord(epoch=epoch, generation=generation, replicas=["replica-0"], models={"birds": part})


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / FILE
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TORN = {
    "empty": b"",
    "blank": b" \n",
    "cut": record().model_dump_json().encode()[:-7],
    "no object": b"[]",
    "null": b"null",
    "no text": b"\xff\xfe\x00",
    "zeros": b"\0" * 300,
    "no replicas": b'{"schema_version": 1}',
    "an unknown field": json.dumps({**record().model_dump(), "more": 1}).encode(),
    "epoch 0": json.dumps({**record().model_dump(), "epoch": 0}).encode(),
    "an older schema": json.dumps({**record().model_dump(), "schema_version": 0}).encode(),
}


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, record().model_dump_json())
    assert read_group(tmp_path) == record()
    assert parse_or_none(tmp_path / FILE) == record()


def test_no_record_is_no_error(tmp_path: Path) -> None:
    assert read_group(tmp_path) is None
    assert read_group(tmp_path / "nowhere") is None
    assert parse_or_none(tmp_path / FILE) is None
    assert FolderRecord(tmp_path).read() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", TORN.values(), ids=TORN.keys())
def test_a_record_that_is_torn_is_an_error_that_names_the_file_and_never_an_empty_record(
    content: bytes, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ArtifactError, match="not a readable group record") as caught:
        read_group(tmp_path)
    assert caught.value.file == str(path)
    assert parse_or_none(path) is None
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", TORN.values(), ids=TORN.keys())
def test_the_controllers_port_puts_a_torn_record_aside_where_a_person_can_look_at_it(
    content: bytes, tmp_path: Path
) -> None:
    write(tmp_path, content)
    assert FolderRecord(tmp_path).read() is None
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("record.json.")
    assert aside.name.endswith(".aside")
    assert aside.read_bytes() == content


def test_a_record_of_a_newer_ferryman_is_neither_obeyed_nor_put_aside(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({**record().model_dump(), "schema_version": 2, "more": {}}))
    before = path.read_bytes()
    for read in (lambda: read_group(tmp_path), lambda: parse_or_none(path), FolderRecord(tmp_path).read):
        with pytest.raises(UnavailableError, match="schema 2; this ferryman reads 1: use the newer one"):
            read()
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [FILE]


def test_a_swap_needs_what_was_read_and_goes_only_forward(tmp_path: Path) -> None:
    port = FolderRecord(tmp_path)
    port.swap(None, record(3, 8))
    with pytest.raises(ConflictError, match="somebody else wrote it"):
        port.swap(None, record(4, 1))
    with pytest.raises(ConflictError, match="somebody else wrote it"):
        port.swap(record(3, 7), record(3, 9))
    for fence in ((3, 8), (3, 7), (2, 99)):
        with pytest.raises(ConflictError, match="does not follow"):
            port.swap(record(3, 8), record(*fence))
    assert port.read() == record(3, 8)
    port.swap(record(3, 8), record(4, 1))
    assert port.read() == record(4, 1)


def test_what_serves_is_the_stable_version_of_the_record(tmp_path: Path) -> None:
    assert serving_now(tmp_path, "birds") is None
    write(tmp_path, record().model_dump_json())
    assert serving_now(tmp_path, "fish") is None
    found = serving_now(tmp_path, "birds")
    assert found
    assert (found.version, found.digest, found.content) == (4, "d" * 64, "c" * 64)
    assert (found.epoch, found.generation, found.refused) == (3, 8, ["a" * 64])
    assert found.path == str(tmp_path / "store" / "birds" / "4")


@pytest.mark.parametrize(
    ("found", "obeyed", "promised", "expected"),
    [
        (None, None, 0, "absent"),
        (None, (9, 9), 9, "absent"),
        ((3, 8), None, 0, "obey"),
        ((3, 8), (3, 8), 3, "obey"),
        ((3, 8), (3, 9), 0, "older"),
        ((3, 8), (2, 99), 3, "obey"),
        ((3, 8), (4, 1), 0, "older"),
        ((3, 8), (3, 7), 4, "older"),
        ((4, 1), (3, 7), 4, "obey"),
    ],
)
def test_an_agent_obeys_nothing_older_than_it_obeyed_or_promised(
    found: tuple[int, int] | None, obeyed: tuple[int, int] | None, promised: int, expected: str
) -> None:
    records = [record(*fence) if fence else None for fence in (found, obeyed)]
    assert attitude(records[0], records[1], promised) == expected
