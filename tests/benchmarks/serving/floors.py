"""What a server is compared with.

python floors.py echo PORT REST_PORT FOLDER THREADS   answers what it has ready, as long as the real answer
python floors.py naive PORT FOLDER                    grpc.aio, the real messages, the eager signature
python floors.py bare FOLDER NAME BATCH SECONDS       the model without a server: prints calls a second
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc

HOST = "127.0.0.1"
SERVICE = "tensorflow.serving.PredictionService"


def echo(port: str, rest_port: str, folder: str, threads: str) -> None:
    """Over gRPC with our threads, which measure better than the library's and asyncio; over HTTP with asyncio and hardly
    any parsing.
    """
    from ferryman.model_server.rpc.workers import Threads

    ready = {kind: answers(Path(folder), kind) for kind in ("grpc", "rest")}
    server = grpc.server(Threads(int(threads), "echo"), options=[("grpc.so_reuseport", 0)])
    method = grpc.unary_unary_rpc_method_handler(lambda body, _: ready["grpc"][len(body)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Predict": method}),))
    server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    asyncio.run(echo_rest(int(rest_port), ready["rest"]))


def answers(folder: Path, kind: str) -> dict[int, bytes]:
    """Length of a request -> its answer."""
    return {
        path.stat().st_size: path.with_name(f"{path.name}.answer").read_bytes() for path in folder.glob(f"*.{kind}")
    }


async def echo_rest(port: int, ready: dict[int, bytes]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(ready), HOST, port)
    await server.serve_forever()


class Echo(asyncio.Protocol):
    """Finds the length of a body and answers it."""

    def __init__(self, ready: dict[int, bytes]) -> None:
        self.ready, self.received = ready, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n", 1)[0])
        if len(body) >= size:
            self.received = body[size:]
            answer = self.ready[size]
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )


def naive(port: str, folder: str) -> None:
    """What a page of Python with TensorFlow gives."""
    asyncio.run(serve_naive(port, Path(folder)))


async def serve_naive(port: str, folder: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

    # Held: a signature does not keep its model.
    models = {name: tf.saved_model.load(str(folder / name / "1")) for name in ("cnn", "table")}

    async def predict(request: Any, _: Any) -> Any:
        signature = models[request.model_spec.name].signatures["serving_default"]
        inputs = {alias: tf.constant(tf.make_ndarray(tensor)) for alias, tensor in request.inputs.items()}
        response = PredictResponse()
        for alias, value in signature(**inputs).items():
            response.outputs[alias].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    method = grpc.unary_unary_rpc_method_handler(predict, PredictRequest.FromString, PredictResponse.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Predict": method}),))
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    await server.wait_for_termination()


def bare(folder: str, name: str, batch: str, seconds: str) -> None:
    """Our runtime's `run`, one call after the other, with arrays that are there."""
    from ferryman.model_server import codec
    from ferryman.model_server.loading import LoadOptions, loader

    model = loader(LoadOptions(prefer_tflite_model=name.endswith("_lite")))(Path(folder) / name / "1")
    inputs = codec.read((Path(folder) / f"{name.removesuffix('_lite')}.{batch}.grpc").read_bytes()).inputs
    if name.endswith("_lite"):
        # Its one input has the name of its tensor.
        inputs = dict(zip(model.signature("").inputs, inputs.values(), strict=True))
    for _ in range(200):
        model.run("", inputs)
    calls, began = 0, time.perf_counter()
    while time.perf_counter() < began + float(seconds):
        model.run("", inputs)
        calls += 1
    print(calls / (time.perf_counter() - began))


if __name__ == "__main__":
    {"echo": echo, "naive": naive, "bare": bare}[sys.argv[1]](*sys.argv[2:])
