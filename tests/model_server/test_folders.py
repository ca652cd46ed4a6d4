"""Base paths on this machine and in a bucket; the bucket answers the real client library."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.model_server.core import FAILED_PRECONDITION, NOT_FOUND, Model, Policy, Refusal
from ferryman.model_server.discovery import DiscoveryError, discover
from ferryman.model_server.folders import Folders

pytest.importorskip("google.cloud.storage")

from google_bucket import Bucket


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "tests")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folders() -> Iterator[Folders]:
    made = Folders()
    yield made
    made.close()


def test_local_versions_are_loaded_where_they_lie(tmp_path: Path, folders: Folders) -> None:
    version = tmp_path / "mit Ümlaut" / "0007"
    version.mkdir(parents=True)
    (tmp_path / "mit Ümlaut" / "12").write_bytes(b"a file")
    base = str(tmp_path / "mit Ümlaut")
    assert discover([Model("m", base, Policy("all"))], folders)["m"] == ((7, f"{base}/0007"), (12, f"{base}/12"))
    assert folders.fetch(f"{base}/0007") == version
    folders.release(version)
    assert version.is_dir()


def test_an_address_of_files_is_a_local_path(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "1").mkdir()
    assert folders.exists(tmp_path.as_uri())
    assert folders.children(tmp_path.as_uri()) == ["1"]
    assert folders.fetch(f"{tmp_path.as_uri()}/1") == tmp_path / "1"


def test_a_scheme_that_nothing_here_reads_is_told_as_a_missing_base_path(folders: Folders) -> None:
    with pytest.raises(OSError, match="UNIMPLEMENTED: File system scheme 's3' not implemented"):
        folders.exists("s3://bucket/m")


def test_versions_in_a_bucket_are_downloaded_and_freed(bucket: Bucket, folders: Folders) -> None:
    bucket.objects |= {"models/m/1/saved_model.pb": b"one", "models/m/2/saved_model.pb": b"two"}
    bucket.objects |= {"models/m/2/variables/v": b"values", "models/m/20/saved_model.pb": b"of another version"}
    found = discover([Model("m", "gs://tests/models/m", Policy("specific", versions=(2,)))], folders)
    assert found == {"m": ((2, "gs://tests/models/m/2"),)}
    folder = folders.fetch("gs://tests/models/m/2")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files == {"saved_model.pb": b"two", "variables/v": b"values"}
    assert folder.parent.stat().st_mode & 0o077 == 0
    other = folders.fetch("gs://tests/models/m/1")
    folders.release(folder)
    assert not folder.exists()
    assert other.is_dir()
    folders.close()
    assert not other.parent.exists()


def test_specific_versions_in_a_bucket_are_found_without_a_listing_of_the_base_path(
    bucket: Bucket, folders: Folders
) -> None:
    bucket.objects |= {f"m/{number}/saved_model.pb": b"x" for number in range(50)}
    discover([Model("m", "gs://tests/m", Policy("specific", versions=(7,)))], folders)
    assert bucket.listed == [("m/", 1), ("m/7/", 1)]
    assert discover([Model("m", "gs://tests/m")], folders) == {"m": ((49, "gs://tests/m/49"),)}


def test_a_bucket_without_the_base_path_has_none(bucket: Bucket, folders: Folders) -> None:
    bucket.objects["mm/1/saved_model.pb"] = b"x"
    assert not folders.exists("gs://tests/m")
    with pytest.raises(Refusal, match="gs://tests/m/1 not found") as caught:
        folders.fetch("gs://tests/m/1")
    assert caught.value.code == NOT_FOUND


@pytest.mark.parametrize("name", ["m/1/../../../escaped", "m/1//etc/passwd", "m/1/a\\..\\b", "m/1/./x"])
def test_a_name_that_leads_out_of_the_version_is_refused_and_nothing_is_written(
    bucket: Bucket, folders: Folders, name: str
) -> None:
    bucket.objects |= {"m/1/saved_model.pb": b"x", name: b"harm"}
    with pytest.raises(Refusal, match="leads out of the version's folder") as caught:
        folders.fetch("gs://tests/m/1")
    assert caught.value.code == FAILED_PRECONDITION
    assert folders._cache is not None
    assert list(folders._cache.iterdir()) == []


def test_a_bucket_that_cannot_be_reached_is_an_error_in_one_line(bucket: Bucket, folders: Folders) -> None:
    bucket.objects["m/1/x"] = b"x"
    bucket.failing = True
    with pytest.raises(OSError, match="UNAVAILABLE: gs://tests/m: ") as caught:
        folders.exists("gs://tests/m")
    assert "\n" not in str(caught.value)


def test_a_process_that_ends_early_leaves_no_downloads(tmp_path: Path) -> None:
    code = "from ferryman.model_server.folders import Folders; print(Folders()._private()); raise SystemExit(255)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert Path(ended.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_cannot_be_looked_through_is_told_by_the_folder_that_cannot(
    tmp_path: Path, folders: Folders
) -> None:
    (tmp_path / "1" / "variables").mkdir(parents=True)
    (tmp_path / "2").write_bytes(b"a file")
    folders.walk(str(tmp_path / "1"))
    with pytest.raises(NotADirectoryError) as caught:
        folders.walk(str(tmp_path / "2"))
    assert caught.value.filename == str(tmp_path / "2")
    with pytest.raises(FileNotFoundError, match=r"/3 not found$"):
        folders.walk(str(tmp_path / "3"))


class _Ending(io.BytesIO):
    def __init__(self, folders: Folders) -> None:
        super().__init__(b"content")
        self._folders = folders

    def close(self) -> None:
        super().close()
        self._folders.close()


class _EndsAfterAFile:
    """A store; the folders are closed, as at the end of a server, when the first file has been read."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def list(self, prefix: str) -> list[str]:
        return [f"{prefix}saved_model.pb", f"{prefix}variables/v"]

    def open(self, name: str) -> _Ending:
        return _Ending(self._folders)


def test_a_download_that_runs_when_the_server_ends_leaves_nothing_behind(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(folders._buckets, "tests", _EndsAfterAFile(folders))
    with pytest.raises(OSError, match="No such file or directory"):
        folders.fetch("gs://tests/m/1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/models/a\0b", "file:///models/a%00b"])
def test_a_base_path_with_a_zero_byte_cannot_be_looked_at_and_is_no_bug(folders: Folders, path: str) -> None:
    with pytest.raises(DiscoveryError, match=r"^Could not find base path .* Invalid argument"):
        discover([Model("m", path)], folders)
    with pytest.raises(OSError, match="Invalid argument"):
        folders.walk(path)
