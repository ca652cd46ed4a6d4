"""A version that answers what it is told to, and the tf.Examples and results of tests of Classify and Regress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal, name_of
from ferryman.model_server.runtime.servable import Signature, TensorInfo
from ferryman.serving.protocol import Example, Input, SignatureDefMap

EXAMPLES = {"inputs": TensorInfo("examples:0", "string", (-1,))}
LABELS = np.array([[b"cat", b"dog"], ["Küche".encode(), b""]], dtype=object)
SCORES = np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
VALUES = np.array([[2.5], [-0.0]], dtype=np.float32)


class Answering:
    """A version that answers what it is told to, and remembers each run: what was fed, and what fetched.

    An output of the alias `a` is the tensor `a:0`, whatever its signature.
    """

    def __init__(self, outputs: Mapping[str, Mapping[str, np.ndarray]], inputs: Any = None, method: str = "") -> None:
        self.outputs = outputs
        self.asked: list[tuple[dict[str, list[bytes]], tuple[str, ...]]] = []
        self.signatures = {
            name: Signature(
                EXAMPLES if inputs is None else inputs,
                {alias: TensorInfo(f"{alias}:0", "float32") for alias in tensors},
                method,
            )
            for name, tensors in outputs.items()
        }

    @property
    def signature_defs(self) -> bytes:
        known = SignatureDefMap()
        for name, signature in self.signatures.items():
            known.signature_def[name].method_name = signature.method_name or "none"
        return bytes(known.SerializeToString())

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        return self.signatures[name]

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        self.asked.append(({tensor: array.tolist() for tensor, array in feeds.items()}, tuple(fetches)))
        known = {f"{alias}:0": array for outputs in self.outputs.values() for alias, array in outputs.items()}
        return {tensor: known[tensor] for tensor in fetches}

    def close(self) -> None:
        """Nothing to free."""


def answering(**outputs: np.ndarray) -> Answering:
    return Answering({"serving_default": outputs})


def example(**features: float) -> Any:
    made = Example()
    for name, value in features.items():
        made.features.feature[name].float_list.value.append(value)
    return made


def two() -> Any:
    made = Input()
    made.example_list.examples.extend([example(x=1), example(x=2)])
    return made


def classes(result: Any) -> list[list[tuple[str, float]]]:
    return [[(c.label, c.score) for c in row.classes] for row in result.classifications]


def refused(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return name_of(caught.value.code), caught.value.text
