"""A running server whose model takes its time, and what asks it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import slow_server
from newcomer import eventually

from ferryman.serving.protocol import PredictRequest
from ferryman.serving.protocol.services import PREDICTION, Stub
from ferryman.serving.server import free_port
from ferryman.serving.tensors import to_proto

HOST = "127.0.0.1"


class Slow:
    """A running server whose model answers after some seconds."""

    def __init__(self, folder: Path, seconds: float, *flags: str, before: tuple[str, ...] = ()) -> None:
        (folder / "m" / "7").mkdir(parents=True, exist_ok=True)
        self.port, self.rest = free_port(HOST), free_port(HOST)
        listen = (
            f"--model_base_path={folder}/m",
            "--model_name=m",
            f"--port={self.port}",
            f"--rest_api_port={self.rest}",
        )
        command = [*before, sys.executable, slow_server.__file__, str(seconds), *listen, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        eventually(lambda: any("m serves version 7" in line for line in self.lines), 30)

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(self.process.stderr)

    def predict(self) -> list[float]:
        request = PredictRequest()
        request.model_spec.name = "m"
        request.inputs["x"].CopyFrom(to_proto(np.array([1.5], np.float32)))
        with grpc.insecure_channel(f"{HOST}:{self.port}") as channel:
            response = Stub(channel, PREDICTION).Predict(request, timeout=20)
        return list(response.outputs["x"].float_val)

    def post(self) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.rest, timeout=20)
        connection.request("POST", "/v1/models/m:predict", '{"inputs": {"x": [1.5]}}')
        response = connection.getresponse()
        return response.status, response.read()

    def running(self, number: int) -> None:
        eventually(lambda: self.lines.count("running\n") == number, 10)

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.rest, timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
