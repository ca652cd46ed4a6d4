"""Requests with tf.Example, as stock clients build them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving_client import LIMIT, Client, fill


def example(**features: Any) -> Any:
    """A tf.Example: a float, an int or bytes by the value's Python type."""
    from tensorflow.core.example.example_pb2 import Example

    made = Example()
    for name, value in features.items():
        kind = {float: "float_list", int: "int64_list", bytes: "bytes_list"}[type(value)]
        getattr(made.features.feature[name], kind).value.append(value)
    return made


def put(request: Any, examples: Sequence[Any], context: Any = None) -> Any:
    """The request with its `input` set: a plain list, or one with a context."""
    if context is None:
        request.input.example_list.examples.extend(examples)
    else:
        request.input.example_list_with_context.examples.extend(examples)
        request.input.example_list_with_context.context.CopyFrom(context)
    return request


def classify(client: Client, *examples: Any, context: Any = None, **spec: Any) -> Any:
    """A Classify call; `spec` as for `serving_client.fill`."""
    from tensorflow_serving.apis.classification_pb2 import ClassificationRequest

    request = ClassificationRequest()
    fill(request.model_spec, **spec)
    return client.prediction.Classify(put(request, examples, context), timeout=LIMIT)


def regress(client: Client, *examples: Any, context: Any = None, **spec: Any) -> Any:
    """A Regress call."""
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    request = RegressionRequest()
    fill(request.model_spec, **spec)
    return client.prediction.Regress(put(request, examples, context), timeout=LIMIT)


def infer(client: Client, tasks: Sequence[tuple[str, dict[str, Any]]], *examples: Any) -> Any:
    """A MultiInference call; a task is (method, spec), the method without `tensorflow/serving/`."""
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest

    request = MultiInferenceRequest()
    for method, spec in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}" if method else "")
        fill(task.model_spec, **spec)
    return client.prediction.MultiInference(put(request, examples), timeout=LIMIT)
