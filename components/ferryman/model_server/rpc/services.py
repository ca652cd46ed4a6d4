"""The server's gRPC: PredictionService and ModelService of TensorFlow Serving."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from ferryman.model_server import core
from ferryman.model_server.core import Model, Policy, Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE
from ferryman.model_server.servables import Servables
from ferryman.serving.protocol import (
    GetModelMetadataResponse,
    GetModelStatusResponse,
    PredictResponse,
    ReloadConfigResponse,
    SignatureDefMap,
)
from ferryman.serving.protocol.services import MODELS, PREDICTION, handler
from ferryman.serving.tensors import TensorError, from_proto, to_proto

log = logging.getLogger("ferryman.model_server")

STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
LONGEST = 1024
"""Characters of an error text; the real server cuts there."""

CODES = {code.value[0]: code for code in grpc.StatusCode}


def answered(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A method whose refusals become gRPC errors; anything else is INTERNAL, in one line, and the server lives."""

    def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request)
        except Refusal as error:
            code, text = error.code, error.text
        except TensorError as error:
            code, text = core.INVALID_ARGUMENT, str(error)
        except Exception as error:
            log.exception("a bug while answering")
            code, text = 13, f"{type(error).__name__}: {' '.join(str(error).split())}"
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}...TRUNCATED"
        return context.abort(CODES.get(code, grpc.StatusCode.UNKNOWN), text)

    return call


class PredictionService:
    """Predict and GetModelMetadata; the rest is UNIMPLEMENTED."""

    def __init__(self, servables: Servables) -> None:
        self._servables = servables

    @answered
    def Predict(self, request: Any) -> Any:
        """`predict_impl.cc`, `predict_util.cc`."""
        name, number, label = spec_of(request)
        inputs = {alias: from_proto(proto) for alias, proto in request.inputs.items()}
        with self._servables.use(name, number, label) as (version, model):
            outputs = model.run(request.model_spec.signature_name, inputs, list(request.output_filter))
        response = PredictResponse()
        _fill(response.model_spec, name, version)
        response.model_spec.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        for alias, array in outputs.items():
            response.outputs[alias].CopyFrom(to_proto(array, listed=True))
        return response

    @answered
    def Classify(self, request: Any) -> Any:
        """`classification_service.cc`."""
        raise Refusal(12, "Classify is not served by this server yet; use Predict")

    @answered
    def Regress(self, request: Any) -> Any:
        """`regression_service.cc`."""
        raise Refusal(12, "Regress is not served by this server yet; use Predict")

    @answered
    def MultiInference(self, request: Any) -> Any:
        """`multi_inference.cc`."""
        raise Refusal(12, "MultiInference is not served by this server yet; use Predict")

    @answered
    def GetModelMetadata(self, request: Any) -> Any:
        """`get_model_metadata_impl.cc`."""
        if not request.HasField("model_spec"):
            raise Refusal(core.INVALID_ARGUMENT, "Missing ModelSpec")
        if not request.metadata_field:
            raise Refusal(core.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise Refusal(core.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        name, number, label = spec_of(request)
        with self._servables.use(name, number, label) as (version, model):
            signature_defs = model.signature_defs
        response = GetModelMetadataResponse()
        _fill(response.model_spec, name, version)
        response.metadata["signature_def"].Pack(SignatureDefMap.FromString(signature_defs))
        return response


class ModelService:
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, servables: Servables) -> None:
        self._servables = servables

    @answered
    def GetModelStatus(self, request: Any) -> Any:
        """`get_model_status_impl.cc`: the label of a request is ignored, ended versions stay listed."""
        if not request.HasField("model_spec"):
            raise Refusal(core.INVALID_ARGUMENT, "Missing ModelSpec")
        number = request.model_spec.version.value if request.model_spec.HasField("version") else None
        response = GetModelStatusResponse()
        for version in core.status(self._servables.state, request.model_spec.name, number):
            entry = response.model_version_status.add(version=version.number, state=STATES[version.status])
            entry.status.error_code = version.code
            entry.status.error_message = version.message
        return response

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        """`model_service_impl.cc`: the gRPC status and the response's own mirror each other."""
        return self._reload(request, context)

    @answered
    def _reload(self, request: Any) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise Refusal(
                core.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        self._servables.reload(models_of(request.config))
        return ReloadConfigResponse()


def spec_of(request: Any) -> tuple[str, int | None, str | None]:
    """Name, version and label of a request; Refusal without a model_spec."""
    if not request.HasField("model_spec"):
        raise Refusal(core.INVALID_ARGUMENT, "Missing ModelSpec")
    spec = request.model_spec
    which = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if which == "version" else None,
        spec.version_label if which == "version_label" else None,
    )


def models_of(config: Any) -> tuple[Model, ...]:
    """The models of a ModelServerConfig."""
    models = []
    for entry in config.model_config_list.config:
        chosen = entry.model_version_policy.WhichOneof("policy_choice")
        policy = Policy()
        if chosen == "all":
            policy = Policy("all")
        elif chosen == "specific":
            policy = Policy("specific", versions=tuple(sorted(entry.model_version_policy.specific.versions)))
        elif chosen == "latest":
            policy = Policy("latest", count=max(1, entry.model_version_policy.latest.num_versions))
        models.append(
            Model(
                entry.name, entry.base_path, policy, entry.model_platform, tuple(sorted(entry.version_labels.items()))
            )
        )
    return tuple(models)


def serve_grpc(servables: Servables, addresses: list[str], threads: int) -> grpc.Server:
    """A started gRPC server at `addresses` (`host:port` or `unix:PATH`); RuntimeError when one cannot be bound."""
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        options=[
            # Otherwise a taken port is shared without a word.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ],
    )
    server.add_generic_rpc_handlers(
        (handler(PREDICTION, PredictionService(servables)), handler(MODELS, ModelService(servables)))
    )
    for address in addresses:
        if not server.add_insecure_port(address):
            raise RuntimeError(f"Failed to bind to address {address}")
    server.start()
    return server


def _fill(spec: Any, name: str, version: int) -> None:
    spec.name = name
    spec.version.value = version
