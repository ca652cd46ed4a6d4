"""A REST server in this process over versions that need no TensorFlow."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from newcomer import eventually
from version_folders import VersionFolders

from ferryman.model_server.core import INVALID_ARGUMENT, Model, Policy, Refusal
from ferryman.model_server.rest.handler import RestOptions, serve_rest
from ferryman.model_server.rest.server import HttpServer
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Signature, TensorInfo
from ferryman.model_server.servables import Servables, Settings
from ferryman.serving.protocol import SignatureDefMap
from ferryman.serving.server import free_port


class Doubling:
    """A version whose default signature doubles `x`; `odd` gives an output that has no JSON, `slow` waits."""

    def __init__(self, number: int) -> None:
        self.number, self.go_on = number, threading.Event()
        infos = {"x": TensorInfo("x:0", "float32", (-1,))}
        self.signatures = {name: Signature(infos, infos) for name in (DEFAULT_SIGNATURE, "odd", "slow", "bug")}

    @property
    def signature_defs(self) -> bytes:
        found = SignatureDefMap()
        found.signature_def[DEFAULT_SIGNATURE].inputs["x"].name = "x:0"
        serialized: bytes = found.SerializeToString()
        return serialized

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        if (name or DEFAULT_SIGNATURE) not in self.signatures:
            raise Refusal(code, f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name or DEFAULT_SIGNATURE]

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        if signature_name == "slow":
            self.go_on.wait(20)
        if signature_name == "bug":
            raise RuntimeError("a bug\nin two lines")
        return {"y": inputs["x"].astype(np.float16 if signature_name == "odd" else np.float32) * 2}

    def close(self) -> None:
        """Nothing to free."""


@dataclass
class Running:
    """A server and what it serves."""

    port: int
    server: HttpServer
    versions: dict[int, Doubling] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> bytes:
        """What comes back until the server ends the connection, or, if it stays open, the first answer."""
        with self.connect() as client:
            client.sendall(request)
            return answer(client)

    def post(self, path: str, body: bytes, *headers: str) -> bytes:
        return self.ask(post(path, body, *headers))


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answer(client: socket.socket) -> bytes:
    """One answer, by its Content-Length, or up to the end."""
    received = b""
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if end and length and len(rest) >= int(length[0].partition(b":")[2]):
            return received
        part = client.recv(65536)
        if not part:
            return received
        received += part


def started(versions: dict[int, Doubling], options: RestOptions) -> Running:
    """A server of model `m` in versions 1 and 2, label `stable` at 1."""

    def load(folder: Path) -> Any:
        return versions.setdefault(int(folder.name), Doubling(int(folder.name)))

    servables = Servables(Settings(load_threads=1), load, VersionFolders(1, 2))
    servables.start()
    model = Model("m", "/m", Policy("specific", versions=(1, 2)))
    servables.reload((model,))
    # A reload returns when one version serves.
    eventually(lambda: servables.state.ready("m") == (1, 2), 20)
    port = free_port("127.0.0.1")
    server = serve_rest(servables, "127.0.0.1", port, options)
    server.start()
    return Running(port, server, versions)
