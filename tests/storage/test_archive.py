"""Folders as archives: the same files give the same bytes, and no archive writes outside its folder."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ferryman.errors import DataError
from ferryman.storage.archive import files_below, pack, unpack
from ferryman.storage.inputs import list_folder, open_pinned, pin_folder
from ferryman.storage.store import LocalStore

FILES = {"b.txt": b"b", "a/ö.bin": bytes(range(256)), "a/empty": b""}


def fill(folder: Path, names: list[str], moment: float) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name])
        os.chmod(path, 0o600 if moment else 0o755)
        os.utime(path, (moment, moment))
    return folder


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    pack(LocalStore(folder), files_below(folder), out)
    return out.getvalue()


def test_the_same_files_give_the_same_bytes_whoever_packs_them_when(tmp_path: Path) -> None:
    one = packed(fill(tmp_path / "one", sorted(FILES), 0))
    two = packed(fill(tmp_path / "two", sorted(FILES, reverse=True), 1_000_000))
    assert one == two
    (tmp_path / "two" / "b.txt").write_bytes(b"c")
    assert packed(tmp_path / "two") != one


def test_what_was_packed_comes_back(tmp_path: Path) -> None:
    content = packed(fill(tmp_path / "given", list(FILES), 5))
    unpack(io.BytesIO(content), tmp_path / "back")
    assert {name: (tmp_path / "back" / name).read_bytes() for name in files_below(tmp_path / "back")} == FILES


def test_a_folder_is_pinned_by_content_and_read_back_from_the_input_store(tmp_path: Path) -> None:
    fill(tmp_path / "given", list(FILES), 5)
    names = list_folder("given", tmp_path)
    assert names == ["a/empty", "a/ö.bin", "b.txt"]
    pinned = [pin_folder("given", tmp_path, tmp_path / "home", names) for _ in range(2)]
    assert pinned[0] == pinned[1]
    assert [path.name for path in (tmp_path / "home/inputs/sha256").iterdir()] == [pinned[0].sha256]
    with open_pinned(pinned[0]) as stream:
        unpack(stream, tmp_path / "back")
    assert (tmp_path / "back/b.txt").read_bytes() == b"b"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_folder_with_a_link_or_a_pipe_is_not_packed(tmp_path: Path, kind: str) -> None:
    fill(tmp_path / "given", list(FILES), 5)
    odd = tmp_path / "given" / "a" / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/etc/hostname" if kind == "link" else "/etc")
    with pytest.raises(DataError, match=r"a/odd is a (link|device or a pipe), expected files alone"):
        files_below(tmp_path / "given")


def test_a_folder_that_is_too_large_says_the_limit(tmp_path: Path) -> None:
    fill(tmp_path / "given", list(FILES), 5)
    with pytest.raises(DataError, match="more than 200 bytes"):
        pack(LocalStore(tmp_path / "given"), files_below(tmp_path / "given"), io.BytesIO(), limit=200)


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
    return made


HOSTILE: dict[str, tuple[list[tarfile.TarInfo], str]] = {
    "up": ([entry("a/../../up")], "leads out of its folder"),
    "absolute": ([entry("/tmp/absolute")], "leads out of its folder"),
    "link": ([entry("a", tarfile.SYMTYPE, "/etc"), entry("a/passwd")], "which is no plain file"),
    "hard link": ([entry("a", tarfile.LNKTYPE, "/etc/passwd")], "which is no plain file"),
    "device": ([entry("a", tarfile.CHRTYPE)], "which is no plain file"),
    "twice": ([entry("a"), entry("a")], "'a' twice"),
    "below a file": ([entry("a"), entry("a/b")], "'b' twice"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(tmp_path: Path, case: str) -> None:
    entries, words = HOSTILE[case]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for one in entries:
            archive.addfile(one, io.BytesIO(b"evil"))
    out.seek(0)
    with pytest.raises(DataError, match=words):
        unpack(out, tmp_path / "inside" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["folder"]


@pytest.mark.parametrize("make", [lambda: b"no archive", lambda: b"x" * 2000])
def test_what_is_no_archive_is_no_archive(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(DataError, match="not an archive of a folder"):
        unpack(io.BytesIO(make()), tmp_path / "folder")


def test_an_archive_that_grows_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    content = packed(fill(tmp_path / "given", list(FILES), 5))
    with pytest.raises(DataError, match="or 200 bytes: it is not unpacked"):
        unpack(io.BytesIO(content), tmp_path / "back", limit=200)
