"""GoogleStore against a server that speaks as much of Google's JSON API (v1) as the real client library needs here."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.storage.inputs import open_pinned, pin
from ferryman.storage.store import open_store
from ferryman.storage.uri import MissingFileError

google_crc32c = pytest.importorskip("google_crc32c")
pytest.importorskip("google.cloud.storage")


class Api(BaseHTTPRequestHandler):
    """Objects in memory; every object of ours is written once, so its generation is 1."""

    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        name = unquote(url.path.partition("/o/")[2])
        if not name:
            prefix = query.get("prefix", [""])[0]
            found = sorted(key for key in self.server.objects if key.startswith(prefix))
            return self._json({"kind": "storage#objects", "items": [self._metadata(key) for key in found]})
        if name not in self.server.objects:
            return self._json({"error": {"code": 404, "message": "No such object"}}, 404)
        if query.get("alt") != ["media"]:
            return self._json(self._metadata(name))
        return self._part(self.server.objects[name])

    def do_POST(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        name = json.loads(body)["name"] if body else query["name"][0]
        condition = query.get("ifGenerationMatch", [""])[0]
        if self._refused(name, condition):
            return None
        place = f"http://{self.headers['Host']}/resume?name={name}&condition={condition}"
        return self._answer(200, b"", {"Location": place})

    def do_PUT(self) -> None:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        name = query["name"][0]
        if not self._refused(name, query["condition"][0]):
            self.server.objects[name] = body
            self._json(self._metadata(name))

    def _refused(self, name: str, condition: str) -> bool:
        if condition == "0" and name in self.server.objects:
            self._json({"error": {"code": 412, "message": "conditionNotMet"}}, 412)
            return True
        return False

    def _metadata(self, name: str) -> dict[str, str]:
        content = self.server.objects[name]
        checksum = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        return {"name": name, "bucket": "tests", "generation": "1", "size": str(len(content)), "crc32c": checksum}

    def _part(self, content: bytes) -> None:
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
        first, last = int(asked[0]), min(int(asked[1] or len(content)), len(content) - 1)
        if first >= len(content):
            return self._json({"error": {"code": 416, "message": "range"}}, 416)
        part = content[first : last + 1]
        return self._answer(206, part, {"Content-Range": f"bytes {first}-{last}/{len(content)}"})

    def _json(self, document: dict[str, object], status: int = 200) -> None:
        self._answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Bucket(ThreadingHTTPServer):
    """The server with its objects."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), Api)


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
