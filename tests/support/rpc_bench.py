"""A gRPC server in this process, before a model that needs no TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from ferryman.model_server.core import INVALID_ARGUMENT
from ferryman.model_server.rpc.server import Options, serve_grpc
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Signature, TensorInfo
from ferryman.model_server.servables import Servables
from ferryman.serving.protocol import PredictRequest
from ferryman.serving.protocol.services import MODELS, PREDICTION, Stub
from ferryman.serving.tensors import from_proto, to_proto

HOST = "127.0.0.1"


class Tripling:
    """Answers `y`, three times `x`; its other signatures wait and fail."""

    signatures: Mapping[str, Signature] = {
        DEFAULT_SIGNATURE: Signature({"x": TensorInfo("x:0", "float32")}, {"y": TensorInfo("y:0", "float32")}),
    }
    signature_defs = b""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        return self.signatures[name or DEFAULT_SIGNATURE]

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        if signature_name == "crash":
            raise RuntimeError("two\nlines")
        if signature_name == "greedy":
            raise MemoryError("no room")
        if signature_name == "slow":
            self.entered.set()
            self.go_on.wait(20)
        if signature_name == "count":
            return {"y": np.array(len(inputs), np.int64)}
        return {"y": np.asarray(inputs["x"] * np.float32(3), np.float32)}

    def close(self) -> None:
        pass


class Running:
    """A gRPC server and a client of it."""

    def __init__(self, servables: Servables, model: Tripling, addresses: list[str], options: Options, threads: int):
        self.model, self.address = model, addresses[0]
        self.server = serve_grpc(servables, addresses, threads, options)
        self.channel = grpc.insecure_channel(self.address)
        self.prediction, self.models = Stub(self.channel, PREDICTION), Stub(self.channel, MODELS)

    def predict(self, *rows: float, signature: str = "", name: str = "m") -> list[float]:
        response = self.prediction.Predict(request(*rows, signature=signature, name=name), timeout=20)
        return list(np.ravel(from_proto(response.outputs["y"])))

    def send(self, method: str, body: bytes) -> bytes:
        """Any bytes to a method."""
        answer: bytes = self.channel.unary_unary(method)(body, timeout=20)
        return answer


Serve = Callable[..., Running]


def request(*rows: float, signature: str = "", name: str = "m") -> Any:
    asked = PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = name, signature
    asked.inputs["x"].CopyFrom(to_proto(np.array(rows, np.float32)))
    return asked


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and text of the error that a call gets."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()
