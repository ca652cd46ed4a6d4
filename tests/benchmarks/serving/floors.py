"""What a server is compared with.

python floors.py echo PORT REST_PORT FOLDER THREADS   answers what it has ready, as long as the real answer
python floors.py plain PORT FOLDER THREADS            a server of gRPC's tutorials: its own threads, the real messages, no model
python floors.py json REST_PORT FOLDER                the same over HTTP, but reads the request's JSON and writes the answer's
python floors.py naive PORT REST_PORT FOLDER          grpc.aio with the real messages, http.server with json; eager signatures
python floors.py bare FOLDER NAME BATCH SECONDS       the model without a server: prints calls a second
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
    asyncio.run(echo_rest(int(rest_port), lambda body: ready["rest"][len(body)]))


def plain(port: str, folder: str, threads: str) -> None:
    """Reads each request into its message and writes an answer from its message, as grpcio alone does it."""
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

    ready = {
        (path.name.split(".")[0], int(path.name.split(".")[1])): PredictResponse.FromString(path.read_bytes())
        for path in Path(folder).glob("*.grpc.answer")
    }

    def predict(request: Any, _: Any) -> Any:
        rows = next(iter(request.inputs.values())).tensor_shape.dim[0].size
        return ready[request.model_spec.name, rows]

    server = grpc.server(ThreadPoolExecutor(int(threads)), options=[("grpc.so_reuseport", 0)])
    method = grpc.unary_unary_rpc_method_handler(predict, PredictRequest.FromString, PredictResponse.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Predict": method}),))
    server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    server.wait_for_termination()


def echo_json(rest_port: str, folder: str) -> None:
    """What remains of a REST server without a model: a fast library reads every number and writes every number."""
    import orjson

    ready = {size: orjson.loads(answer) for size, answer in answers(Path(folder), "rest").items()}

    def answer(body: bytes) -> bytes:
        orjson.loads(body)
        return orjson.dumps(ready[len(body)])

    asyncio.run(echo_rest(int(rest_port), answer))


def answers(folder: Path, kind: str) -> dict[int, bytes]:
    """Length of a request -> its answer."""
    return {
        path.stat().st_size: path.with_name(f"{path.name}.answer").read_bytes() for path in folder.glob(f"*.{kind}")
    }


async def echo_rest(port: int, answer: Callable[[bytes], bytes]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(answer), HOST, port)
    await server.serve_forever()


class Echo(asyncio.Protocol):
    """Finds the end of a body and answers it."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer, self.received = answer, b""

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
            answer = self.answer(body[:size])
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )


def naive(port: str, rest_port: str, folder: str) -> None:
    """What a page of Python with TensorFlow gives."""
    import tensorflow as tf

    models = {name: tf.saved_model.load(str(Path(folder) / name / "1")) for name in ("cnn", "table")}
    threading.Thread(target=naive_rest, args=(int(rest_port), models), daemon=True).start()
    asyncio.run(naive_grpc(port, models))


async def naive_grpc(port: str, models: dict[str, Any]) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

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


def naive_rest(port: int, models: dict[str, Any]) -> None:
    import tensorflow as tf

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: in two, each answer waits 40 ms for the client's acknowledgement.
        wbufsize = -1

        def do_POST(self) -> None:
            instances = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
            name = self.path.rpartition("/")[2].partition(":")[0]
            signature = models[name].signatures["serving_default"]
            _, inputs = signature.structured_input_signature
            rows = [row if isinstance(row, dict) else dict.fromkeys(inputs, row) for row in instances]
            columns = {alias: tf.constant([row[alias] for row in rows], spec.dtype) for alias, spec in inputs.items()}
            (values,) = signature(**columns).values()
            answer = json.dumps({"predictions": values.numpy().tolist()}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing: writing it costs more than it tells."""

    ThreadingHTTPServer((HOST, port), Handler).serve_forever()


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
    {"echo": echo, "plain": plain, "json": echo_json, "naive": naive, "bare": bare}[sys.argv[1]](*sys.argv[2:])
