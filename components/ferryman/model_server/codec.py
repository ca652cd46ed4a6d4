"""Predict's bytes to arrays and back; no gRPC here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE
from ferryman.serving import layouts, tensors
from ferryman.serving.protocol.wire import DecodeError, WireResponse, read_request
from ferryman.serving.tensors import TensorError

log = logging.getLogger("ferryman.model_server")


class Prediction(NamedTuple):
    """What a Predict call asks for."""

    message: Any
    """The PredictRequest, for its model_spec."""

    inputs: Mapping[str, np.ndarray]
    """By alias. Asking for one that could not be read raises Refusal: the real server reads after it has found the model,
    and in the order of the signature."""

    output_filter: Sequence[str]


def read(serialized: bytes) -> Prediction:
    """What the bytes of a PredictRequest ask for; DecodeError when they are none."""
    return _read_by_layouts(serialized) or _read(read_request(serialized), tensors.read)


def _read_by_layouts(serialized: bytes) -> Prediction | None:
    """None when protobuf has to read the request as a whole."""
    message = layouts.closed(serialized)
    try:
        return None if message is None else _read(message, layouts.read)
    except DecodeError:
        return None


def _read(message: Any, read_tensor: Callable[[Any], np.ndarray]) -> Prediction:
    inputs: dict[str, np.ndarray] = {}
    damaged: dict[str, TensorError] = {}
    for alias, tensor in message.inputs.items():
        try:
            inputs[alias] = read_tensor(tensor)
        except TensorError as error:
            damaged[alias] = error
    return Prediction(message, _Inputs(inputs, damaged) if damaged else inputs, list(message.output_filter))


def write(
    name: str, version: int, signature_name: str, outputs: Mapping[str, np.ndarray], *, as_content: bool = False
) -> bytes:
    """The bytes of a PredictResponse; numbers in the lists of their types, or as raw bytes with `as_content`."""
    message = WireResponse()
    fill(message.model_spec, name, version)
    message.model_spec.signature_name = signature_name or DEFAULT_SIGNATURE
    for alias, array in outputs.items():
        tensors.write(array, message.outputs[alias], content=as_content)
    return bytes(message.SerializeToString())


def fill(spec: Any, name: str, version: int) -> None:
    """Name and version of an answer's model_spec."""
    spec.name = name
    spec.version.value = version


class _Inputs(Mapping[str, np.ndarray]):
    def __init__(self, read: dict[str, np.ndarray], damaged: dict[str, TensorError]) -> None:
        self._read, self._damaged = read, damaged

    def __getitem__(self, alias: str) -> np.ndarray:
        if alias in self._damaged:
            log.info("input %s: %s", alias, self._damaged[alias])
            raise Refusal(INVALID_ARGUMENT, f"tensor parsing error: {alias}")
        return self._read[alias]

    def __iter__(self) -> Iterator[str]:
        yield from self._read
        yield from self._damaged

    def __len__(self) -> int:
        return len(self._read) + len(self._damaged)
