"""A server that speaks as much of Google's JSON API (v1) as the real client library needs here."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c


class Api(BaseHTTPRequestHandler):
    """Objects in memory; every object of ours is written once, so its generation is 1."""

    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        if self.server.failing:
            # A code that the client does not try again.
            return self._json({"error": {"code": 403, "message": "no\nright"}}, 403)
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        name = unquote(url.path.partition("/o/")[2])
        if not name and url.path.endswith("/o"):
            return self._list(query)
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

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        found = sorted(key for key in self.server.objects if key.startswith(prefix))
        deeper = [key for key in found if delimiter and delimiter in key[len(prefix) :]]
        folders = sorted({prefix + key[len(prefix) :].partition(delimiter)[0] + delimiter for key in deeper})
        items = [self._metadata(key) for key in found if key not in deeper][: int(query.get("maxResults", ["1000"])[0])]
        self.server.listed.append((prefix, len(items)))
        self._json({"kind": "storage#objects", "items": items, "prefixes": folders})

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
        self.listed: list[tuple[str, int]] = []
        """The prefixes of the listings asked for, and how many objects each told."""

        self.failing = False

        super().__init__(("127.0.0.1", 0), Api)
