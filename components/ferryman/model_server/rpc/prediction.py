"""tensorflow.serving.PredictionService: Predict, Classify, Regress, MultiInference, GetModelMetadata."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

from ferryman.model_server import codec, inference
from ferryman.model_server.codec import Prediction, fill
from ferryman.model_server.core import INVALID_ARGUMENT, OK, Refusal
from ferryman.model_server.metrics import count_request, count_run
from ferryman.model_server.rpc.errors import answered, refusal_of
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE
from ferryman.model_server.servables import Servables
from ferryman.serving.protocol import (
    ClassificationResponse,
    GetModelMetadataResponse,
    RegressionResponse,
    SignatureDefMap,
)

Answer = TypeVar("Answer")
Spec = tuple[str, int | None, str | None]


class PredictionService:
    """Source: `model_servers/prediction_service_impl.cc`."""

    def __init__(self, servables: Servables, *, as_content: bool = False) -> None:
        """`as_content`: Predict answers raw bytes (--enable_serialization_as_tensor_content)."""
        self._servables, self._as_content = servables, as_content

    @answered
    def Predict(self, serialized: bytes) -> bytes:
        """From bytes to bytes (`predict_impl.cc`, `predict_util.cc`)."""
        asked = codec.read(serialized)
        return counted("Predict", asked.message, lambda: self._predict(asked))

    def _predict(self, asked: Prediction) -> bytes:
        name, number, label = spec_of(asked.message)
        signature_name = asked.message.model_spec.signature_name
        with self._servables.use(name, number, label) as (version, model):
            began = perf_counter()
            outputs = model.run(signature_name, asked.inputs, asked.output_filter)
            count_run(name, "Predict", perf_counter() - began)
        return codec.write(name, version, signature_name, outputs, as_content=self._as_content)

    @answered
    def Classify(self, request: Any) -> Any:
        """`classification_service.cc`, `classifier.cc`."""
        return counted("Classify", request, lambda: self._infer(request, inference.classify, ClassificationResponse()))

    @answered
    def Regress(self, request: Any) -> Any:
        """`regression_service.cc`, `regressor.cc`."""
        return counted("Regress", request, lambda: self._infer(request, inference.regress, RegressionResponse()))

    def _infer(self, request: Any, infer: Callable[..., Any], response: Any) -> Any:
        name, number, label = spec_of(request)
        signature_name = request.model_spec.signature_name
        with self._servables.use(name, number, label) as (version, model):
            response.result.CopyFrom(infer(model, signature_name, request.input, model=name))
        fill(response.model_spec, name, version)
        response.model_spec.signature_name = signature_name or DEFAULT_SIGNATURE
        return response

    @answered
    def MultiInference(self, request: Any) -> Any:
        """`multi_inference_helper.cc`, `multi_inference.cc`: the first task says which version; it is not counted."""
        name, number, label = choice_of(request.tasks[0].model_spec) if request.tasks else ("", None, None)
        with self._servables.use(name, number, label) as (version, model):
            return inference.multi_inference(model, version, request)

    @answered
    def GetModelMetadata(self, request: Any) -> Any:
        """`get_model_metadata_impl.cc`: it is not counted."""
        name, number, label = spec_of(request)
        if not request.metadata_field:
            raise Refusal(INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise Refusal(INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        with self._servables.use(name, number, label) as (version, model):
            signature_defs = model.signature_defs
        response = GetModelMetadataResponse()
        fill(response.model_spec, name, version)
        response.metadata["signature_def"].Pack(SignatureDefMap.FromString(signature_defs))
        return response


def spec_of(request: Any) -> Spec:
    """Name, version and label of a request; Refusal without a model_spec."""
    if not request.HasField("model_spec"):
        raise Refusal(INVALID_ARGUMENT, "Missing ModelSpec")
    return choice_of(request.model_spec)


def choice_of(spec: Any) -> Spec:
    """Name, version and label of a ModelSpec."""
    which = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if which == "version" else None,
        spec.version_label if which == "version_label" else None,
    )


def counted(api: str, request: Any, answer: Callable[[], Answer]) -> Answer:
    """The answer, which is counted, as is a refusal."""
    name, began = request.model_spec.name, perf_counter()
    try:
        response = answer()
    except Exception as error:
        refusal = refusal_of(error)
        count_request(name, api, "GRPC", refusal.code, perf_counter() - began)
        raise refusal from error
    count_request(name, api, "GRPC", OK, perf_counter() - began)
    return response
