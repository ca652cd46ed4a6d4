"""gRPC messages near the valid ones, changed in their fields or in their bytes, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fuzzed_bytes import mutated, restructured
from fuzzed_names import MODELS, SIGNATURES, Shot
from request_models import LABELS

PREDICTION, MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"


def message(draw: Random) -> Shot:
    """A message of a method, changed in its fields or in its bytes, or as it is."""
    method, make = draw.choice(METHODS)
    data = make(draw).SerializeToString()
    form = draw.random()
    if form < 0.55:
        data = restructured(draw, data)
    elif form < 0.85:
        data = mutated(draw, data)
    return Shot("grpc", data, method)


def fill(draw: Random, spec: Any) -> None:
    """A ModelSpec."""
    spec.name, spec.signature_name = draw.choice(MODELS), draw.choice(SIGNATURES)
    form = draw.random()
    if form < 0.2:
        spec.version.value = draw.choice((1, 2, 3, 99, -1))
    elif form < 0.3:
        spec.version_label = draw.choice(("stable", "canary", "nope", ""))


def tensor(draw: Random) -> Any:
    """A TensorProto that may not hold together."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    made = TensorProto(dtype=draw.choice((1, 1, 1, 2, 3, 4, 7, 9, 9, 10, 17, 19, 22, 23, 0, 8, 20, 21, 101, 999)))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        made.tensor_shape.dim.add(size=draw.choice((0, 1, 2, 2, 3, 5, -1, 2**31, 2**62)))
    count = draw.choice((0, 1, 1, 2, 2, 4, 6))
    fill_values(draw, made, count)
    return made


def fill_values(draw: Random, made: Any, count: int) -> None:
    """Values in the field of some dtype, or content."""
    form = draw.randrange(7)
    if form == 0:
        made.tensor_content = draw.randbytes(draw.choice((0, 1, 4, 8, 12, 16)))
    elif form == 1:
        made.string_val.extend(draw.choice((b"", b"text", b"\xff", b"\0" * 9)) for _ in range(count))
    elif form == 2:
        made.int64_val.extend(draw.choice((0, 1, -(2**63))) for _ in range(count))
    elif form == 3:
        made.int_val.extend(draw.choice((0, 1, 300, -(2**31))) for _ in range(count))
    elif form == 4:
        made.double_val.extend(draw.choice((0.0, 1e308, float("nan"))) for _ in range(count))
    else:
        made.float_val.extend(draw.choice((0.5, -1.0, 3e38, float("inf"))) for _ in range(count))


ARRAYS: dict[str, Any] = {
    "serving_default": [0.5, -1.0],
    "copy_float32": [[0.5], [float("nan")]],
    "text_y": [b"text", b"\xff\0"],
    "fails": [-1.0],
    "pairs": [1.0, 2.0, 3.0],
    "reciprocal": 0.0,
    "copy_bool": [True],
}
"""Signature -> what its `x` takes."""


def fitting_predict(draw: Random) -> Any:
    """A request that is mostly answered."""
    import numpy as np
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    signature = draw.choice(tuple(ARRAYS))
    request.model_spec.name, request.model_spec.signature_name = "m", signature
    request.inputs["x"].CopyFrom(array_proto(np.asarray(ARRAYS[signature])))
    return request


def array_proto(array: Any) -> Any:
    """A TensorProto as clients make it."""
    import numpy as np
    import tensorflow as tf

    return tf.make_tensor_proto(array.astype(np.float32) if array.dtype == np.float64 else array)


def predict(draw: Random) -> Any:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest(output_filter=draw.choice(((), (), (), ("y",), ("y", "y"), ("nope",))))
    fill(draw, request.model_spec)
    for alias in draw.choice((("x",), ("x",), ("x",), ("a", "b"), ("a",), ("inputs",), ("x", "z"), ())):
        request.inputs[alias].CopyFrom(tensor(draw))
    return request


def fill_input(draw: Random, given: Any) -> None:
    """An Input with some examples."""
    target = given.example_list if draw.random() < 0.7 else given.example_list_with_context
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        features = target.examples.add().features.feature
        features["x"].float_list.value.extend([0.5] * draw.choice((0, 1, 1, 1, 2)))
        if draw.random() < 0.3:
            features["name"].bytes_list.value.append(draw.choice(LABELS).encode())
    if draw.random() < 0.1:
        target.examples.add().features.feature["x"].bytes_list.value.append(b"\xff")


def classify(draw: Random) -> Any:
    from tensorflow_serving.apis.classification_pb2 import ClassificationRequest

    request = ClassificationRequest()
    fill(draw, request.model_spec)
    fill_input(draw, request.input)
    return request


def regress(draw: Random) -> Any:
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    request = RegressionRequest()
    fill(draw, request.model_spec)
    fill_input(draw, request.input)
    return request


def infer(draw: Random) -> Any:
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest

    request = MultiInferenceRequest()
    for _ in range(draw.choice((0, 1, 2, 2, 3))):
        method = draw.choice(("classify", "regress", "classify", "regress", "predict"))
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        fill(draw, task.model_spec)
    fill_input(draw, request.input)
    return request


def metadata(draw: Random) -> Any:
    from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest

    request = GetModelMetadataRequest(metadata_field=draw.choice((("signature_def",), (), ("x", "signature_def"))))
    fill(draw, request.model_spec)
    return request


def status(draw: Random) -> Any:
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

    request = GetModelStatusRequest()
    fill(draw, request.model_spec)
    return request


METHODS: tuple[tuple[str, Callable[[Random], Any]], ...] = (
    (f"{PREDICTION}Predict", predict),
    (f"{PREDICTION}Predict", fitting_predict),
    (f"{PREDICTION}Predict", fitting_predict),
    (f"{PREDICTION}Classify", classify),
    (f"{PREDICTION}Regress", regress),
    (f"{PREDICTION}MultiInference", infer),
    (f"{PREDICTION}GetModelMetadata", metadata),
    (f"{MODEL}GetModelStatus", status),
)
"""A reload is not among them: a damaged one that still reads unloads the models, or waits without limit for a folder."""
