from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path

import pytest

from ferryman.storage import local


class BreaksOff(io.RawIOBase):
    """A stream whose source dies after some bytes."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked += 1
        if self.asked > 1:
            raise OSError("the source died")
        return b"half of it"


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    local.atomic_write(path, b"first")
    local.atomic_write(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_write_that_breaks_off_leaves_the_old_bytes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="died"):
        local.replace_from(path, BreaksOff())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="died"):
        local.create_from(tmp_path / "other", BreaksOff())  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_first_of_many_creators_wins_and_the_others_know_it(tmp_path: Path) -> None:
    path, won = tmp_path / "file", []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        if local.create_only(path, str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert path.read_bytes() == str(won[0]).encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    local.atomic_write(path, b"x")
    assert path.read_bytes() == b"x"


def test_the_digest_of_a_file_covers_every_chunk(tmp_path: Path) -> None:
    content = bytes(range(256)) * (local.CHUNK // 128) + b"end"
    (tmp_path / "file").write_bytes(content)
    assert local.sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
