"""TensorFlow Serving's messages and stubs without TensorFlow.

`tensorflow_serving.apis` imports TensorFlow's own protobuf modules, and with them all of TensorFlow (4.6 s, 660 MB),
unless a bare module stands in its place. Everything else imports the protocol from here.
"""

from __future__ import annotations

from ferryman.models.runtime import bare_tensorflow

with bare_tensorflow():
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "tensor_pb2",
    "tensor_shape_pb2",
    "types_pb2",
]
