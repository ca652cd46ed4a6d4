"""Output tensors of a model to the results of Classify and Regress, written as bytes: a call for each number costs more."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ferryman.model_server.core import INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.serving.protocol import ClassificationResult, DataType, RegressionResult
from ferryman.serving.tensors import NUMBERS

# A field with its number and wire type, then, where it is a message, its length in bytes.
# Source: Protocol Buffers, Encoding. `Regression { float value = 1; }`, `Class { float score = 2; }`.
REGRESSION = bytes([1 << 3 | 2, 5, 1 << 3 | 5])
SCORED = bytes([1 << 3 | 2, 5, 2 << 3 | 5])


def classifications(examples: int, classes: np.ndarray | None = None, scores: np.ndarray | None = None) -> Any:
    """The ClassificationResult of [examples, classes] labels (object array of bytes), scores (float32), or both.

    Raises:
        Refusal: as `classifier.cc:PostProcessClassificationResult`.
    """
    for name, tensor, dtype in (("classes", classes, "DT_STRING"), ("scores", scores, "DT_FLOAT")):
        if tensor is not None:
            _check_classes(name, tensor, dtype, examples)
    if classes is None:
        return _scored(np.empty((examples, 0), np.float32) if scores is None else scores)
    if scores is not None and classes.shape[1] != scores.shape[1]:
        text = f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        raise Refusal(INVALID_ARGUMENT, f"Tensors class and score should match in dim_size(1). {text}")
    return _labelled(classes, scores)


def regressions(examples: int, outputs: np.ndarray) -> Any:
    """The RegressionResult of float32 values of shape [examples] or [examples, 1].

    Raises:
        Refusal: as `regressor.cc:PostProcessRegressionResult`.
    """
    if not (outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)):
        text = "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
        raise Refusal(INVALID_ARGUMENT, text + shape_text(outputs))
    if len(outputs) != examples:
        text = f"Input batch size did not match output batch size: {examples} vs. {len(outputs)}"
        raise Refusal(INVALID_ARGUMENT, text)
    if outputs.dtype != np.float32:
        raise Refusal(INVALID_ARGUMENT, f"Expected output Tensor of DT_FLOAT.  Got: {dtype_name(outputs)}")
    return RegressionResult.FromString(_prefixed(REGRESSION, outputs.reshape(-1)).tobytes())


def shape_text(tensor: np.ndarray) -> str:
    """A shape as TensorFlow writes it: `[3,2]`."""
    return f"[{','.join(map(str, tensor.shape))}]"


def dtype_name(tensor: np.ndarray) -> str:
    """TensorFlow's name of a dtype: `DT_FLOAT`."""
    number = NUMBERS.get("string" if tensor.dtype.kind in "OSU" else tensor.dtype.name)
    return f"DT_{tensor.dtype.name.upper()}" if number is None else DataType(number).name


def _check_classes(name: str, tensor: np.ndarray, dtype: str, examples: int) -> None:
    if tensor.ndim != 2:
        text = "Expected Tensor shape: [batch_size num_classes] but got "
        raise Refusal(INVALID_ARGUMENT, text + shape_text(tensor))
    if dtype_name(tensor) != dtype:
        raise Refusal(INVALID_ARGUMENT, f"Expected {name} Tensor of {dtype}. Got: {dtype_name(tensor)}")
    if len(tensor) != examples:
        text = f"Expected {name} output batch size of {examples}. Got: {len(tensor)}"
        raise Refusal(INVALID_ARGUMENT, text)


def _scored(scores: np.ndarray) -> Any:
    """Of scores alone: all rows are equally long in bytes, so that numpy writes the message."""
    rows, columns = scores.shape
    row = _prefixed(SCORED, scores.reshape(-1)).reshape(rows, -1)
    head = bytes([1 << 3 | 2]) + _varint(columns * (len(SCORED) + 4))
    heads = np.broadcast_to(np.frombuffer(head, np.uint8), (rows, len(head)))
    return ClassificationResult.FromString(np.hstack([heads, row]).tobytes())


def _labelled(classes: np.ndarray, scores: np.ndarray | None) -> Any:
    """Of labels, with scores or without: a label is written once, however often it comes."""
    heads = {label: _head(label, scored=scores is not None) for label in set(classes.ravel().tolist())}
    rows = [[heads[label] for label in row] for row in classes.tolist()]
    if scores is not None:
        # As four bytes each: numpy's raw type gives them as bytes.
        numbers = np.ascontiguousarray(scores, "<f4").view("V4").tolist()
        rows = [
            [piece for pair in zip(*pieces, strict=True) for piece in pair]
            for pieces in zip(rows, numbers, strict=True)
        ]
    try:
        return ClassificationResult.FromString(b"".join(_field(1, b"".join(row)) for row in rows))
    except DecodeError as error:
        text = "A label of the model's classes is not UTF-8, as a label must be"
        raise Refusal(INTERNAL, text) from error


def _head(label: bytes, *, scored: bool) -> bytes:
    """A Class up to its score: what stands before the four bytes of a number."""
    written = _field(1, label)
    if not scored:
        return _field(1, written)
    return bytes([1 << 3 | 2]) + _varint(len(written) + 5) + written + bytes([2 << 3 | 5])


def _field(number: int, content: bytes) -> bytes:
    """A field with its length: text, bytes or a message."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _prefixed(prefix: bytes, values: np.ndarray) -> np.ndarray:
    """[values, prefix + 4] bytes: each float32 in little-endian order behind the prefix."""
    written = np.empty((len(values), len(prefix) + 4), np.uint8)
    written[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    written[:, len(prefix) :] = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(-1, 4)
    return written


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
