"""GoogleStore against a server that speaks as much of Google's JSON API (v1) as the real client library needs here."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.storage.inputs import open_pinned, pin
from ferryman.storage.store import open_store
from ferryman.storage.uri import MissingFileError

pytest.importorskip("google_crc32c")
pytest.importorskip("google.cloud.storage")

from google_bucket import Bucket


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "tests")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_objects_are_written_read_and_listed_below_the_prefix(bucket: Bucket) -> None:
    store = open_store("gs://tests/some/place/")
    store.write("b/two", io.BytesIO(b"2"))
    store.write("a", io.BytesIO(b"1"))
    bucket.objects["some/places"] = b"of somebody else"
    assert store.uri == "gs://tests/some/place"
    assert bucket.objects["some/place/a"] == b"1"
    assert store.list() == ["a", "b/two"]
    assert store.list("b") == ["b/two"]
    assert store.exists("a")
    assert not store.exists("c")
    with store.open("b/two") as stream:
        assert stream.read() == b"2"


def test_an_object_is_created_once(bucket: Bucket) -> None:
    store = open_store("gs://tests")
    assert store.create("a", io.BytesIO(b"first"))
    assert not store.create("a", io.BytesIO(b"second"))
    assert bucket.objects == {"a": b"first"}


def test_a_missing_object_is_named_before_anything_is_read(bucket: Bucket) -> None:
    with pytest.raises(MissingFileError, match=r"rows\.csv: no such file in gs://tests/data"):
        open_store("gs://tests/data").open("rows.csv")


def test_a_source_in_the_cloud_is_pinned_like_any_other(bucket: Bucket, tmp_path: Path) -> None:
    bucket.objects["data/rows.csv"] = b"a,b\n1,2\n"
    pinned = pin("gs://tests/data/rows.csv", tmp_path, tmp_path / "home")
    with open_pinned(pinned) as stream:
        assert stream.read() == b"a,b\n1,2\n"
    far = pinned.model_copy(update={"uri": "gs://tests/data/rows.csv"})
    bucket.objects["data/rows.csv"] = b"a,b\n1,3\n"
    with pytest.raises(ArtifactError, match="is altered"):
        open_pinned(far).__enter__()


def test_a_bucket_must_be_named() -> None:
    with pytest.raises(UsageError, match="expected gs://BUCKET"):
        open_store("gs:///rows.csv")


def test_without_credentials_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    with pytest.raises(UnavailableError, match=r"gs://tests: no credentials .*; try `gcloud auth"):
        open_store("gs://tests")


def test_what_lies_directly_below_a_folder_is_told_without_listing_what_lies_deeper(bucket: Bucket) -> None:
    bucket.objects |= {"models/m/1/saved_model.pb": b"1", "models/m/1/variables/v": b"2", "models/m/notes": b"3"}
    bucket.objects |= {"models/mm/7/saved_model.pb": b"4"}
    store = open_store("gs://tests/models")
    assert store.children("m") == ["1", "notes"]
    assert store.children() == ["m", "mm"]
    assert [store.holds(folder) for folder in ("m/1", "m/2", "m", "mm/7/saved_model.pb")] == [True, False, True, False]
