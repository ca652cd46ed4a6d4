"""One real server with small models whose versions answer differently, asked by stock clients."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from newcomer import eventually
from servables_bench import Bench
from starting import Start, configured

from ferryman.serving.config import ModelConfig, render
from ferryman.serving.server import ServerKind, free_port, launch

KIND = ServerKind((sys.executable, "-m", "ferryman.model_server"), "ferryman-model-server", True)

FACTORS = {1: (10.0, "first"), 2: (100.0, "second")}
"""Version -> what it multiplies by, and the word that it says."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: `m` with two versions, and some that are damaged."""
    folder = tmp_path_factory.mktemp("models")
    for number, (factor, word) in FACTORS.items():
        save(folder / "m" / str(number), factor, word)
    shutil.copytree(folder / "m" / "1", folder / "late" / "7")
    shutil.copytree(folder / "m" / "1", folder / "hollow" / "3", ignore=shutil.ignore_patterns("variables"))
    (folder / "empty" / "4").mkdir(parents=True)
    (folder / "garbage" / "5").mkdir(parents=True)
    (folder / "garbage" / "5" / "saved_model.pb").write_bytes(b"\xff not a graph")
    return folder


def save(folder: Path, factor: float, word: str) -> None:
    """A SavedModel: rows of two numbers -> their sum times `factor`, as a number and as a text that begins with `word`."""
    import tensorflow as tf

    class Sums(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.factor = tf.Variable(factor)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> dict[str, Any]:
            total = tf.reduce_sum(x, axis=1) * self.factor
            return {
                "total": total,
                "word": tf.strings.join([word, tf.strings.as_string(tf.cast(total, tf.int32))], "-"),
            }

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def only(self, x: Any) -> dict[str, Any]:
            return {"total": tf.reduce_sum(x, axis=1) * self.factor}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "raw")])  # type: ignore[untyped-decorator]
        def echo(self, raw: Any) -> dict[str, Any]:
            return {"copy_bytes": raw, "length": tf.strings.length(raw)}

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec([None], tf.int32, "start"), tf.TensorSpec([None], tf.int64, "to")]
        )
        def between(self, start: Any, to: Any) -> dict[str, Any]:
            return {"gap": to - tf.cast(start, tf.int64)}

    module = Sums()
    signatures = {
        "serving_default": module.serve,
        "only": module.only,
        "echo": module.echo,
        "between": module.between,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


@dataclass
class Answered:
    """What REST answered."""

    status: int
    kind: str
    body: Any
    text: str = field(repr=False, default="")


class Server:
    """A running server as its clients see it."""

    def __init__(self, models: Path, address: str, url: str) -> None:
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.models, self.address, self.url = models, address, url
        self.channel = grpc.insecure_channel(address)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def config(self, name: str = "m", *versions: int, **labels: int) -> ModelConfig:
        return ModelConfig(name, str(self.models / name), versions or (1, 2), labels)

    def predict(
        self, inputs: Mapping[str, Any], *, signature: str = "", outputs: tuple[str, ...] = (), **spec: Any
    ) -> Any:
        """A Predict call; `inputs` are what `tf.make_tensor_proto` takes, `spec` as for `named`."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(output_filter=outputs)
        named(request.model_spec, **spec)
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return self.prediction.Predict(request, timeout=20)

    def status(self, **spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        named(request.model_spec, **spec)
        return self.model.GetModelStatus(request, timeout=20)

    def states(self, name: str = "m") -> dict[int, str]:
        from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

        listed = self.status(name=name).model_version_status
        return {entry.version: ModelVersionStatus.State.Name(entry.state) for entry in listed}

    def metadata(self, *fields: str, **spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        named(request.model_spec, **spec)
        return self.prediction.GetModelMetadata(request, timeout=20)

    def resolved(self, label: str, name: str = "m") -> int:
        """Where a label points, by the only answer that tells."""
        return int(self.metadata("signature_def", name=name, label=label).model_spec.version.value)

    def reload(self, *configs: ModelConfig, limit: float = 20) -> Any:
        from ferryman.serving.config import reload_request

        return self.model.HandleReloadConfigRequest(reload_request(configs), timeout=limit)

    def settle(self) -> None:
        """Back to how every test begins: both versions loaded, `stable` at 1 and `canary` at 2."""
        self.reload(self.config())
        eventually(lambda: [self.states()[number] for number in (1, 2)] == ["AVAILABLE", "AVAILABLE"], 20)
        self.reload(self.config(stable=1, canary=2))

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """One request; a body that is not bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {name.replace("_", "-"): value for name, value in headers.items()}, method=method
        )
        try:
            with self.opener.open(request, timeout=20) as response:
                return self.read(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return self.read(error.code, error)

    @staticmethod
    def read(status: int, response: Any) -> Answered:
        kind, text = response.headers["Content-Type"], response.read().decode()
        return Answered(status, kind, json.loads(text) if kind == "application/json" else text, text)


def named(spec: Any, name: str | None = "m", version: int | None = None, label: str | None = None) -> None:
    """Fill a ModelSpec; without a name it stays unset."""
    if name is not None:
        spec.name = name
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label


@pytest.fixture(scope="module")
def running(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of a test module."""
    folder = tmp_path_factory.mktemp("server")
    startup = folder / "models.config"
    startup.write_text(render([ModelConfig("m", str(models / "m"), (1, 2))]))
    process = launch(KIND, startup, folder, "127.0.0.1", (free_port("127.0.0.1"), free_port("127.0.0.1")), wait=True)
    try:
        server = Server(models, process.grpc_address, process.rest_url)
        yield server
        server.channel.close()
    finally:
        process.stop()


@pytest.fixture
def server(running: Server) -> Server:
    """The server as every test finds it."""
    running.settle()
    return running


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with these flags; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str, program: tuple[str, ...] = ("-m", "ferryman.model_server")) -> subprocess.Popen[str]:
        command = [sys.executable, *program, *flags]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="surrogateescape"
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Builds servables over folders whose loads a test holds and fails; they end with the test."""
    benches: list[Bench] = []

    def build(**settings: Any) -> Bench:
        benches.append(Bench(tmp_path, **settings))
        return benches[-1]

    yield build
    for built in benches:
        built.stop()


@pytest.fixture
def nothing(tmp_path: Path) -> str:
    """The flag of a start-up file without models."""
    return configured(tmp_path)
