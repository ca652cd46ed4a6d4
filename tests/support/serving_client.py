"""Stock clients of a model server: TensorFlow Serving's own messages and stubs over gRPC, and plain HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

LIMIT = 20.0
"""Seconds that any call may take."""


@dataclass(frozen=True)
class Model:
    """One entry of a ModelConfigList. `policy` is `specific` (its `versions`), `latest` (its `count`), `all` or none."""

    name: str
    base_path: str | Path
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    platform: str = "tensorflow"
    policy: str = ""
    count: int = 0

    def add_to(self, config: Any) -> None:
        """Append it to a ModelServerConfig."""
        entry = config.model_config_list.config.add(
            name=self.name, base_path=str(self.base_path), model_platform=self.platform
        )
        policy = self.policy or ("specific" if self.versions else "")
        if policy == "specific":
            entry.model_version_policy.specific.versions.extend(self.versions)
        elif policy == "latest":
            entry.model_version_policy.latest.num_versions = self.count
        elif policy == "all":
            entry.model_version_policy.all.SetInParent()
        entry.version_labels.update(self.labels)


def server_config(*models: Model) -> Any:
    """The ModelServerConfig that holds exactly `models`."""
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    for model in models:
        model.add_to(config)
    return config


def reload_request(*models: Model) -> Any:
    """The ReloadConfigRequest for exactly `models`."""
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    return ReloadConfigRequest(config=server_config(*models))


def as_text(*models: Model) -> str:
    """A start-up file."""
    from google.protobuf import text_format

    return str(text_format.MessageToString(server_config(*models), as_utf8=True))


@dataclass(frozen=True)
class Answered:
    """What REST answered; `headers` have names in lower case."""

    status: int
    headers: dict[str, str]
    raw: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Client:
    """A running server as its clients see it; `rest` is HOST:PORT."""

    def __init__(self, address: str, rest: str = "", channel: grpc.Channel | None = None) -> None:
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.address, self.rest = address, rest
        self.channel = channel or grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    # Inference

    def predict(
        self, inputs: Mapping[str, Any], *, signature: str = "", outputs: Sequence[str] = (), **spec: Any
    ) -> Any:
        """A Predict call; `inputs` are TensorProtos or what `tf.make_tensor_proto` takes, `spec` as for `fill`."""
        return self.start_predict(inputs, signature=signature, outputs=outputs, **spec).result()

    def start_predict(
        self, inputs: Mapping[str, Any], *, signature: str = "", outputs: Sequence[str] = (), **spec: Any
    ) -> Any:
        """The future of a Predict call, sent at once."""
        return self.prediction.Predict.future(
            predict_request(inputs, signature=signature, outputs=outputs, **spec), timeout=LIMIT
        )

    def metadata(self, *fields: str, **spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        fill(request.model_spec, **spec)
        return self.prediction.GetModelMetadata(request, timeout=LIMIT)

    def resolved(self, name: str, **spec: Any) -> int:
        """The version that a spec is resolved to."""
        return int(self.metadata("signature_def", name=name, **spec).model_spec.version.value)

    # Models

    def status(self, **spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        fill(request.model_spec, **spec)
        return self.model.GetModelStatus(request, timeout=LIMIT)

    def states(self, name: str) -> dict[int, str]:
        """Version -> state, as listed; empty for a model that was never seen."""
        from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

        try:
            listed = self.status(name=name).model_version_status
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise
        return {entry.version: ModelVersionStatus.State.Name(entry.state) for entry in listed}

    def reload(self, *models: Model, metrics: Sequence[str] = (), limit: float = LIMIT) -> Any:
        """HandleReloadConfigRequest with exactly these models."""
        from tensorflow_serving.apis import model_management_pb2

        request = model_management_pb2.ReloadConfigRequest(config=server_config(*models), metric_names=metrics)
        return self.model.HandleReloadConfigRequest(request, timeout=limit)

    def await_states(self, name: str, states: Mapping[int, str], limit: float = LIMIT) -> None:
        """Until the versions named have these states (others may be listed as well)."""
        until(lambda: states.items() <= self.states(name).items(), limit, lambda: f"{name}: {self.states(name)}")

    def hold(self, *models: Model, limit: float = LIMIT) -> None:
        """Have exactly these models' `versions` AVAILABLE and labelled, whatever was held before: load, wait, label."""
        bare = [Model(m.name, m.base_path, m.versions, {}, m.platform, m.policy, m.count) for m in models]
        self.reload(*bare, limit=limit)
        for model in models:
            self.await_states(model.name, dict.fromkeys(model.versions, "AVAILABLE"), limit)
        if any(model.labels for model in models):
            self.reload(*models, limit=limit)

    def empty(self, *names: str) -> None:
        """Hold nothing, once the models named have ended: then others may come under their names."""
        self.reload()
        for name in names:
            until(
                lambda name=name: set(self.states(name).values()) <= {"END"},
                seen=lambda name=name: str(self.states(name)),
            )

    # REST

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """One request on a fresh connection; a body that is neither bytes nor text goes as JSON; `a_b` is header a-b."""
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection = http.client.HTTPConnection(self.rest, timeout=LIMIT)
        try:
            connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answered(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()


def predict_request(inputs: Mapping[str, Any], *, signature: str = "", outputs: Sequence[str] = (), **spec: Any) -> Any:
    """A PredictRequest, as for `Client.predict`."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest(output_filter=outputs)
    fill(request.model_spec, signature=signature, **spec)
    for alias, value in inputs.items():
        tensor = value if hasattr(value, "tensor_shape") else tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(tensor)
    return request


def fill(
    spec: Any, name: str | None = None, version: int | None = None, label: str | None = None, signature: str = ""
) -> None:
    """Fill a ModelSpec; with `name` None and nothing else it stays unset."""
    if name is not None:
        spec.name = name
        spec.SetInParent()
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    if signature:
        spec.signature_name = signature


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and text of the error that a call gets."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def code(call: Callable[[], Any]) -> str:
    """Code of the error that a call gets, where the text is TensorFlow's and changes with its version."""
    return refusal(call)[0]


def no_model(folder: Path) -> str:
    """What is said of a version's folder without a model. Source: `session_bundle/oss/session_bundle_util.cc`."""
    return (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
        f"`saved_model.pb`)\nSpecified file path: {folder}"
    )


def until(condition: Callable[[], bool], limit: float = LIMIT, seen: Callable[[], str] = lambda: "") -> None:
    """Wait for `condition`, looked at 20 times a second; AssertionError with what `seen` says when it never holds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {seen()}"
        time.sleep(0.05)


def never(condition: Callable[[], bool], seconds: float) -> None:
    """AssertionError when `condition` holds within the next `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not condition()
        time.sleep(0.05)
