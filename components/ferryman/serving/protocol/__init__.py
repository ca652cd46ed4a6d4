"""TensorFlow Serving's messages, without TensorFlow and without the package tensorflow-serving-api.

Importing that package imports TensorFlow's own protobuf modules, and with them all of TensorFlow (4.6 s, 660 MB). The
`.proto` files beside this one declare what is used here, under the real names and numbers, so that the bytes and the
texts are the same; the real messages can be loaded beside them.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from ferryman.serving.protocol.schema import load

POOL = load(
    *(Path(__file__).with_name(name) for name in ("error.proto", "tensorflow.proto", "serving.proto", "settings.proto"))
)


def _message(name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(name))


def _enum(name: str) -> Any:
    found = POOL.FindEnumTypeByName(name)
    return IntEnum(found.name, {value.name: value.number for value in found.values})


TensorProto = _message("tensorflow.TensorProto")
DataType = _enum("tensorflow.DataType")
SignatureDef = _message("tensorflow.SignatureDef")
Example = _message("tensorflow.Example")

ModelSpec = _message("tensorflow.serving.ModelSpec")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
Input = _message("tensorflow.serving.Input")
ClassificationRequest = _message("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _message("tensorflow.serving.ClassificationResponse")
ClassificationResult = _message("tensorflow.serving.ClassificationResult")
RegressionRequest = _message("tensorflow.serving.RegressionRequest")
RegressionResponse = _message("tensorflow.serving.RegressionResponse")
RegressionResult = _message("tensorflow.serving.RegressionResult")
MultiInferenceRequest = _message("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = _message("tensorflow.serving.MultiInferenceResponse")
PredictionLog = _message("tensorflow.serving.PredictionLog")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
ModelServerConfig = _message("tensorflow.serving.ModelServerConfig")
ReloadConfigRequest = _message("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = _message("tensorflow.serving.ReloadConfigResponse")
MonitoringConfig = _message("tensorflow.serving.MonitoringConfig")
SSLConfig = _message("tensorflow.serving.SSLConfig")
BatchingParameters = _message("tensorflow.serving.BatchingParameters")
SavedModelConfig = _message("tensorflow.serving.SavedModelConfig")
