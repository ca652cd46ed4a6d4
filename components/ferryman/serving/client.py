"""A client of TensorFlow Serving's gRPC; nothing is retried, every call has a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np

from ferryman.errors import FerrymanError, UnavailableError
from ferryman.serving.config import ModelConfig, reload_request
from ferryman.serving.protocol import GetModelMetadataRequest, GetModelStatusRequest, PredictRequest
from ferryman.serving.protocol.services import MODELS, PREDICTION, Stub
from ferryman.serving.tensors import from_proto, to_proto

TIMEOUT = 10.0
"""Seconds for one request: a hundred times what a small model needs, less than a person waits."""

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""gRPC's own default of 4 MiB is one batch of images."""

STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


class ServingError(FerrymanError):
    """A server answered with an error; `code` is the name of the gRPC status, e.g. `NOT_FOUND`."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


class ServerAwayError(ServingError, UnavailableError):
    """The server cannot be reached, or did not answer in time."""

    exit_code = UnavailableError.exit_code


@dataclass(frozen=True)
class Answer:
    """Outputs by name (text as object arrays of bytes), and the version that gave them."""

    outputs: dict[str, np.ndarray]
    version: int


@dataclass(frozen=True)
class VersionStatus:
    """One version at a server; `code` and `message` say why it ended, where it failed."""

    state: str
    code: int = 0
    message: str = ""

    @property
    def available(self) -> bool:
        """Whether it answers."""
        return self.state == "AVAILABLE"

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.state == "END" and self.code != 0


class ServingClient:
    """Speaks to one server at `address` (`host:port` or `unix:PATH`); a context manager."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=UNLIMITED)
        self._prediction = Stub(self._channel, PREDICTION)
        self._models = Stub(self._channel, MODELS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._channel.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = "serving_default",
        timeout: float = TIMEOUT,
    ) -> Answer:
        """The answer to `inputs` by name; of the highest version loaded, unless `version` or `label` says which."""
        request = PredictRequest()
        _name(request.model_spec, model, version, label)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_proto(array))
        response = _called(self._prediction.Predict, request, timeout)
        outputs = {name: from_proto(proto) for name, proto in response.outputs.items()}
        return Answer(outputs, response.model_spec.version.value)

    def status(self, model: str, timeout: float = TIMEOUT) -> dict[int, VersionStatus]:
        """Version -> state, of all versions that the server remembers; empty when it never knew the model."""
        request = GetModelStatusRequest()
        _name(request.model_spec, model, None, None)
        try:
            response = _called(self._models.GetModelStatus, request, timeout)
        except ServingError as error:
            if error.code == "NOT_FOUND":
                return {}
            raise
        return {
            entry.version: VersionStatus(
                STATES.get(entry.state, "UNKNOWN"), entry.status.error_code, entry.status.error_message
            )
            for entry in response.model_version_status
        }

    def reload(self, configs: Iterable[ModelConfig], timeout: float = 60.0) -> None:
        """Ask the server to hold exactly `configs`. Its OK proves little: look at `status` and ask by label."""
        _called(self._models.HandleReloadConfigRequest, reload_request(configs), timeout)

    def resolved(self, model: str, label: str) -> int:
        """The version that a request with `label` goes to; ServingError when it goes to none."""
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        _name(request.model_spec, model, None, label)
        return int(_called(self._prediction.GetModelMetadata, request, TIMEOUT).model_spec.version.value)


def _name(spec: Any, model: str, version: int | None, label: str | None) -> None:
    spec.name = model
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label


def _called(method: Callable[..., Any], request: Any, timeout: float) -> Any:
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        code, text = error.code().name, str(error.details())
        kind = ServerAwayError if code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"} else ServingError
        raise kind(code, text) from error
