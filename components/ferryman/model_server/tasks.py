"""What a signature can be asked for with tf.Examples: the methods, and what they want of it.

`servables/tensorflow/...` names the source (tensorflow/serving 2.21) of each check, in whose order they come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferryman.model_server.classes import classifications, regressions
from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.servable import CLASSIFY, DEFAULT_SIGNATURE, REGRESS, Checks, Servable, Signature
from ferryman.serving.protocol import SignatureDefMap

INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"
"""The aliases of inputs and outputs of such signatures."""


@dataclass(frozen=True)
class Method:
    """What a signature can be asked for, what it must be like for that, and what its values become."""

    name: str
    kind: str
    """As errors call it."""

    api: str
    """As metrics call it."""

    outputs: tuple[str, ...]
    """Aliases of those that are wanted, as far as there are any; of two that name one tensor it is the last."""

    sizes: tuple[int, ...]
    """How many outputs a signature may have."""

    missized: str
    """The refusal of another number of them."""

    lacking: str
    """The refusal where none is a wanted one; the signature comes after it."""

    result: Callable[..., Any]
    """From the number of examples and the values by alias."""

    field: str
    """Where the result is in an InferenceResult."""


CLASSIFICATION = Method(
    name=CLASSIFY,
    kind="classification",
    api="Classify",
    outputs=(SCORES, CLASSES),
    sizes=(1, 2),
    missized="Expected one or two output Tensors, found {}",
    lacking='Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: ',
    result=classifications,
    field="classification_result",
)
"""Source: `classifier.cc:PreProcessClassification` and `PostProcessClassificationResult`."""

REGRESSION = Method(
    name=REGRESS,
    kind="regression",
    api="Regress",
    outputs=(OUTPUTS,),
    sizes=(1,),
    missized="Expected one output Tensor.",
    lacking="No regression outputs found in SignatureDef: ",
    result=regressions,
    field="regression_result",
)
"""Source: `regressor.cc:PreProcessRegression` and `PostProcessRegressionResult`."""

METHODS = {method.name: method for method in (CLASSIFICATION, REGRESSION)}


@dataclass(frozen=True)
class Task:
    """A method and the tensors of the signature that is asked by it."""

    method: Method
    feed: str
    """The tensor that gets the examples."""

    fetches: Mapping[str, str]
    """Tensor -> alias of the output."""

    def result(self, examples: int, values: Mapping[str, np.ndarray]) -> Any:
        """The result for so many examples; `values` has those of this task's tensors, and maybe others."""
        return self.method.result(examples, **{alias: values[tensor] for tensor, alias in self.fetches.items()})


def task_of(method: Method, servable: Servable, name: str, signature: Signature) -> Task:
    """What the method wants of a signature.

    Raises:
        Refusal: the signature does not fit (`classifier.cc:PreProcessClassification`, `regressor.cc:PreProcessRegression`).
    """
    if Checks.method_names and signature.method_name != method.name:
        text = f"Expected {method.kind} signature method_name to be {method.name}. Was: {signature.method_name}"
        raise Refusal(INVALID_ARGUMENT, text)
    if len(signature.inputs) != 1:
        raise Refusal(INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) not in method.sizes:
        raise Refusal(INVALID_ARGUMENT, method.missized.format(len(signature.outputs)))
    if INPUTS not in signature.inputs:
        text = f"No {method.kind} inputs found in SignatureDef: {_shown(servable, name)}"
        raise Refusal(INVALID_ARGUMENT, text)
    fetches = {signature.outputs[alias].name: alias for alias in method.outputs if alias in signature.outputs}
    if not fetches:
        raise Refusal(INVALID_ARGUMENT, method.lacking + _shown(servable, name))
    return Task(method, signature.inputs[INPUTS].name, fetches)


def _shown(servable: Servable, name: str) -> str:
    """The SignatureDef as protobuf's text, as `DebugString` writes it."""
    from google.protobuf import text_format

    found = SignatureDefMap.FromString(servable.signature_defs).signature_def[name or DEFAULT_SIGNATURE]
    return str(text_format.MessageToString(found))
