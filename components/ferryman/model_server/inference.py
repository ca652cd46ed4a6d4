"""Classify, Regress and MultiInference: tf.Examples in, scores and values out, over the signatures of a loaded version.

`servables/tensorflow/...` names the source (tensorflow/serving 2.21) of each check, in whose order they come.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ferryman.model_server import metrics
from ferryman.model_server.classes import classifications, regressions
from ferryman.model_server.core import INVALID_ARGUMENT, UNIMPLEMENTED, Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Servable, Signature
from ferryman.serving.protocol import MultiInferenceResponse, SignatureDefMap

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
"""The method names of signatures (`saved_model/signature_constants.h`)."""

INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"
"""The aliases of inputs and outputs of such signatures."""


class Checks:
    """What is checked beyond need; one for the process, as in `servables/tensorflow/util.cc`."""

    method_names: bool = False
    """--enable_signature_method_name_check."""


def classify(servable: Servable, signature_name: str, input: Any, *, model: str = "") -> Any:
    """The ClassificationResult of an Input; `model` is whose runtime latency is counted.

    Raises:
        Refusal: as `classifier.cc` and the session answer.
    """
    signature = _found(servable, signature_name, "No signature was found with the name: ")
    wanted = check_classification(servable, signature_name, signature)
    examples = serialized_examples(input)
    values = _run(servable, signature_name, examples, wanted, model, "Classify")
    return classifications(len(examples), values.get(CLASSES), values.get(SCORES))


def regress(servable: Servable, signature_name: str, input: Any, *, model: str = "") -> Any:
    """The RegressionResult of an Input; `model` is whose runtime latency is counted.

    Raises:
        Refusal: as `regressor.cc` and the session answer.
    """
    signature = _found(servable, signature_name, "No signature was found with the name: ")
    wanted = check_regression(servable, signature_name, signature)
    examples = serialized_examples(input)
    values = _run(servable, signature_name, examples, wanted, model, "Regress")
    return regressions(len(examples), values[OUTPUTS])


def multi_inference(servable: Servable, version: int, request: Any) -> Any:
    """The MultiInferenceResponse of a request, all of whose tasks go to the same version of the same model.

    Raises:
        Refusal: as `multi_inference.cc` and the session answer.
    """
    wanted = _check_tasks(servable, request.tasks)
    examples = serialized_examples(request.input)
    # All run before any result is looked at: there, one call of the session computes them all.
    values = [
        servable.run(task.model_spec.signature_name, {INPUTS: examples}, outputs)
        for task, outputs in zip(request.tasks, wanted, strict=True)
    ]
    metrics.count_examples(request.tasks[0].model_spec.name, len(examples))
    response = MultiInferenceResponse()
    for task, outputs in zip(request.tasks, values, strict=True):
        result = response.results.add()
        if task.method_name == CLASSIFY:
            made = classifications(len(examples), outputs.get(CLASSES), outputs.get(SCORES))
            result.classification_result.CopyFrom(made)
        else:
            result.regression_result.CopyFrom(regressions(len(examples), outputs[OUTPUTS]))
        result.model_spec.name = task.model_spec.name
        result.model_spec.signature_name = task.model_spec.signature_name or DEFAULT_SIGNATURE
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


def check_classification(servable: Servable, name: str, signature: Signature) -> tuple[str, ...]:
    """The aliases of the outputs wanted of a signature (`classifier.cc:PreProcessClassification`)."""
    _check_method_name(signature, CLASSIFY, "classification")
    if len(signature.inputs) != 1:
        raise Refusal(INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) not in {1, 2}:
        raise Refusal(INVALID_ARGUMENT, f"Expected one or two output Tensors, found {len(signature.outputs)}")
    _check_alias(servable, name, signature.inputs, "No classification inputs found in SignatureDef: ", INPUTS)
    wanted = tuple(alias for alias in (CLASSES, SCORES) if alias in signature.outputs)
    if not wanted:
        text = 'Expected classification signature outputs to contain at least one of "classes" or "scores". '
        raise Refusal(INVALID_ARGUMENT, f"{text}Signature was: {_shown(servable, name)}")
    return wanted


def check_regression(servable: Servable, name: str, signature: Signature) -> tuple[str, ...]:
    """The alias of the output wanted of a signature (`regressor.cc:PreProcessRegression`)."""
    _check_method_name(signature, REGRESS, "regression")
    if len(signature.inputs) != 1:
        raise Refusal(INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise Refusal(INVALID_ARGUMENT, "Expected one output Tensor.")
    _check_alias(servable, name, signature.inputs, "No regression inputs found in SignatureDef: ", INPUTS)
    _check_alias(servable, name, signature.outputs, "No regression outputs found in SignatureDef: ", OUTPUTS)
    return (OUTPUTS,)


def _check_tasks(servable: Servable, tasks: Sequence[Any]) -> list[tuple[str, ...]]:
    """The aliases of the outputs wanted by each task (`multi_inference.cc:Infer`, its first loop)."""
    seen: set[str] = set()
    wanted = []
    for task in tasks:
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if not task.model_spec.name:
            raise Refusal(INVALID_ARGUMENT, "Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            text = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            raise Refusal(INVALID_ARGUMENT, text)
        if name in seen:
            raise Refusal(INVALID_ARGUMENT, f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        signature = _found(servable, name, "Requested signature not found in model graph: ")
        check = {CLASSIFY: check_classification, REGRESS: check_regression}.get(task.method_name)
        if check is None:
            raise Refusal(UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        wanted.append(check(servable, name, signature))
    return wanted


def _run(
    servable: Servable, name: str, examples: np.ndarray, wanted: tuple[str, ...], model: str, api: str
) -> dict[str, np.ndarray]:
    began = time.perf_counter_ns()
    values = servable.run(name, {INPUTS: examples}, wanted)
    if model:
        metrics.RUNTIME_LATENCY.add(model, api, "TF1", of=(time.perf_counter_ns() - began) // 1000)
    return values


def _found(servable: Servable, name: str, otherwise: str) -> Signature:
    found = servable.signatures.get(name or DEFAULT_SIGNATURE)
    if found is None:
        raise Refusal(INVALID_ARGUMENT, f"{otherwise}{name or DEFAULT_SIGNATURE}")
    return found


def _check_method_name(signature: Signature, expected: str, kind: str) -> None:
    if Checks.method_names and signature.method_name != expected:
        text = f"Expected {kind} signature method_name to be {expected}. Was: {signature.method_name}"
        raise Refusal(INVALID_ARGUMENT, text)


def _check_alias(servable: Servable, name: str, tensors: Any, otherwise: str, alias: str) -> None:
    if alias not in tensors:
        raise Refusal(INVALID_ARGUMENT, f"{otherwise}{_shown(servable, name)}")


def _shown(servable: Servable, name: str) -> str:
    """The SignatureDef as protobuf's text, as `DebugString` writes it."""
    from google.protobuf import text_format

    found = SignatureDefMap.FromString(servable.signature_defs).signature_def[name or DEFAULT_SIGNATURE]
    return str(text_format.MessageToString(found))
