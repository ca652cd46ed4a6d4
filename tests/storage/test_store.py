from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from ferryman.errors import DataError, UsageError
from ferryman.storage.store import open_store
from ferryman.storage.uri import MissingFileError, local_path, split_uri


def test_what_was_written_is_read_listed_and_found(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "räume und mehr"))
    store.write("b/two", io.BytesIO(b"2"))
    store.write("a", io.BytesIO(b"1"))
    assert store.list() == ["a", "b/two"]
    assert store.list("b/") == ["b/two"]
    assert store.exists("a")
    assert not store.exists("b")
    with store.open("b/two") as stream:
        assert stream.read() == b"2"


def test_a_store_is_found_again_by_its_own_uri(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "räume und 100%"))
    store.write("a", io.BytesIO(b"1"))
    assert open_store(store.uri).exists("a")
    assert open_store(store.uri.replace("file://", "file://localhost")).exists("a")


def test_creating_does_not_replace(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert store.create("a", io.BytesIO(b"first"))
    assert not store.create("a", io.BytesIO(b"second"))
    with store.open("a") as stream:
        assert stream.read() == b"first"


def test_files_whose_writing_was_cut_off_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".3f2a.partial").write_bytes(b"ha")
    (tmp_path / "whole.partial").write_bytes(b"x")
    assert open_store(str(tmp_path)).list() == ["whole.partial"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="b/none: no such file in file:///"):
        open_store(str(tmp_path)).open("b/none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder"):
        open_store(str(tmp_path)).open("folder")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "./a", "a\\b", "a\0b"])
def test_a_name_never_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = open_store(str(tmp_path / "inside"))
    for act in (store.open, store.exists, lambda name: store.create(name, io.BytesIO(b"x"))):
        with pytest.raises(UsageError, match="relative path"):
            act(name)
    assert not list(tmp_path.rglob("*"))


def test_an_unknown_scheme_says_which_are_known() -> None:
    with pytest.raises(UsageError, match=r"hdfs://a/b: received scheme 'hdfs'.*file://, gs://"):
        open_store("hdfs://a/b")


def test_a_file_uri_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="three slashes"):
        local_path("file://data/rows.csv")
    assert local_path("file:///a%20b/%C3%A4") == Path("/a b/ä")


def test_a_uri_is_split_into_its_folder_and_its_file() -> None:
    assert split_uri("gs://bucket/a/b.csv") == ("gs://bucket/a", "b.csv")
    assert split_uri("file:///a%20b/c") == ("/a b", "c")
    with pytest.raises(UsageError, match="expected a file"):
        split_uri("gs://bucket")


def test_storage_starts_without_anything_heavy() -> None:
    heavy = "{'tensorflow', 'kfp', 'google', 'pyarrow', 'numpy'}"
    code = (
        "import sys, ferryman.storage.inputs, ferryman.storage.store, ferryman.data.options;"
        f"print(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
