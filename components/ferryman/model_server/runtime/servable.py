"""What the rest of the server knows of a loaded version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT

DEFAULT_SIGNATURE = "serving_default"

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
PREDICT = "tensorflow/serving/predict"
"""The method names of signatures (`saved_model/signature_constants.h`)."""


class Checks:
    """What is checked beyond need; one for the process, as in `servables/tensorflow/util.cc`."""

    method_names: bool = False
    """--enable_signature_method_name_check."""


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature."""

    name: str
    """Name of the tensor in the graph, e.g. `serve_x:0`."""

    dtype: str
    """numpy's name of the dtype, or `string`."""

    shape: tuple[int, ...] | None = None
    """Sizes, -1 where any; None when the rank is not known."""


@dataclass(frozen=True)
class Signature:
    """One signature of a model."""

    inputs: Mapping[str, TensorInfo]
    """By alias."""

    outputs: Mapping[str, TensorInfo]
    method_name: str = ""
    defaults: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Alias -> what an input is when a request leaves it out."""


class Servable(Protocol):
    """A loaded version. Its methods may be called from many threads."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """By name."""

    @property
    def signature_defs(self) -> bytes:
        """The serialised SignatureDefMap, for GetModelMetadata."""

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        """The signature `name` (empty for the default); Refusal with `code` and its text when there is none."""

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs by alias (text as object arrays of bytes); Refusal as the real server answers."""

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        """Values of the tensors `fetches`, all of one run: what `Session::Run` is to the real server. Refusal as there.

        `feeds` and `fetches` are names of tensors of any signatures, none of them twice.
        """

    def close(self) -> None:
        """Free it; no call runs any more."""
