"""Classify, Regress and MultiInference: tf.Examples in, scores and values out, over the signatures of a loaded version.

Whatever is asked becomes tasks, all of which one run computes. `servables/tensorflow/...` names the source
(tensorflow/serving 2.21) of each check, in whose order they come.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ferryman.model_server import metrics
from ferryman.model_server.core import INVALID_ARGUMENT, UNIMPLEMENTED, Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Servable, Signature
from ferryman.model_server.tasks import CLASSIFICATION, METHODS, REGRESSION, Method, Task, task_of
from ferryman.serving.protocol import MultiInferenceResponse


def classify(servable: Servable, signature_name: str, input: Any, *, model: str = "") -> Any:
    """The ClassificationResult of an Input; `model` is whose runtime latency is counted.

    Raises:
        Refusal: as `classifier.cc` and the session answer.
    """
    return _single(CLASSIFICATION, servable, signature_name, input, model)


def regress(servable: Servable, signature_name: str, input: Any, *, model: str = "") -> Any:
    """The RegressionResult of an Input; `model` is whose runtime latency is counted.

    Raises:
        Refusal: as `regressor.cc` and the session answer.
    """
    return _single(REGRESSION, servable, signature_name, input, model)


def multi_inference(servable: Servable, version: int, request: Any) -> Any:
    """The MultiInferenceResponse of a request, all of whose tasks go to the same version of the same model.

    Raises:
        Refusal: as `multi_inference.cc` and the session answer.
    """
    tasks = _tasks(servable, request.tasks)
    examples = serialized_examples(request.input)
    values = _run(servable, tasks, examples)
    metrics.count_examples(request.tasks[0].model_spec.name if tasks else "", len(examples))
    response = MultiInferenceResponse()
    for asked, task in zip(request.tasks, tasks, strict=True):
        result = response.results.add()
        getattr(result, task.method.field).CopyFrom(task.result(len(examples), values))
        result.model_spec.name = asked.model_spec.name
        result.model_spec.signature_name = asked.model_spec.signature_name or DEFAULT_SIGNATURE
        result.model_spec.version.value = version
    return response


def serialized_examples(input: Any) -> np.ndarray:
    """The examples of an Input as an object array of serialised tf.Examples, the context joined to each of them.

    Two messages one after the other in bytes are one message with the fields of both: nothing is parsed for it.

    Source: `util.cc:InputToSerializedExampleTensor`; Protocol Buffers, Encoding, "Last One Wins".
    """
    kind = input.WhichOneof("kind")
    listed = getattr(input, kind) if kind else input.example_list
    if not listed.examples:
        raise Refusal(INVALID_ARGUMENT, "Input is empty.")
    context: bytes = listed.context.SerializeToString() if kind == "example_list_with_context" else b""
    examples = np.empty(len(listed.examples), dtype=object)
    examples[:] = [context + example.SerializeToString() for example in listed.examples]
    return examples


def _single(method: Method, servable: Servable, name: str, input: Any, model: str) -> Any:
    task = task_of(method, servable, name, _found(servable, name, "No signature was found with the name: "))
    examples = serialized_examples(input)
    began = time.perf_counter()
    values = _run(servable, [task], examples)
    if model:
        metrics.count_run(model, method.api, time.perf_counter() - began)
    return task.result(len(examples), values)


def _run(servable: Servable, tasks: Sequence[Task], examples: np.ndarray) -> dict[str, np.ndarray]:
    """Values by tensor of all tasks, of one run (`util.cc:PerformOneShotTensorComputation`)."""
    feeds, fetches = {task.feed for task in tasks}, {tensor for task in tasks for tensor in task.fetches}
    return servable.run_tensors(dict.fromkeys(sorted(feeds), examples), sorted(fetches))


def _tasks(servable: Servable, asked: Sequence[Any]) -> list[Task]:
    """The tasks of InferenceTasks, in their order (`multi_inference.cc:Infer`, its first loop)."""
    tasks: dict[str, Task] = {}
    for one in asked:
        name = one.model_spec.signature_name or DEFAULT_SIGNATURE
        if not one.model_spec.name:
            raise Refusal(INVALID_ARGUMENT, "Found ModelSpec with an empty model name.")
        if one.model_spec.name != asked[0].model_spec.name:
            text = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            raise Refusal(INVALID_ARGUMENT, text)
        if name in tasks:
            raise Refusal(INVALID_ARGUMENT, f"Duplicate evaluation of signature: {name}")
        signature = _found(servable, name, "Requested signature not found in model graph: ")
        if one.method_name not in METHODS:
            raise Refusal(UNIMPLEMENTED, f"Unsupported signature method_name: {one.method_name}")
        tasks[name] = task_of(METHODS[one.method_name], servable, name, signature)
    return list(tasks.values())


def _found(servable: Servable, name: str, otherwise: str) -> Signature:
    found = servable.signatures.get(name or DEFAULT_SIGNATURE)
    if found is None:
        raise Refusal(INVALID_ARGUMENT, f"{otherwise}{name or DEFAULT_SIGNATURE}")
    return found
