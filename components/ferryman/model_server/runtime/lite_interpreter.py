"""One LiteRT interpreter, fed as the real server feeds its own.

Source, whose order and texts these are: tensorflow_serving/servables/tensorflow/tflite_session.cc
(SetInputAndInvokeMiniBatch, GetTensorInfoMap) and tflite_interpreter_pool.cc, 2.21. What LiteRT itself says of an error
is logged, not answered. Where the real server reads or writes beyond its memory (values of another dtype than the
model's, strings that are not one for each row), the request is refused here; and a shape that failed is undone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ferryman.model_server.core import ALREADY_EXISTS, INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime import prediction

log = logging.getLogger("ferryman.model_server")

UNKNOWN_TYPES = {"float16": 10, "float64": 11, "complex128": 12, "uint64": 13, "uint32": 16, "uint16": 17}
"""LiteRT's dtypes (TfLiteType, tflite/c/common.h) that TfLiteTypeToTfType does not know."""

MOST_FAILURES = 100
"""Of an interpreter, before a new one takes its place: LiteRT 2.3 tells with each error all that came before it."""


class LiteTensor(NamedTuple):
    """One input or output of the interpreter."""

    name: str
    number: int
    dtype: str
    """numpy's name, or `string`."""
    shape: tuple[int, ...]


class LiteInterpreter:
    """One interpreter with one thread of its own; for one call at a time."""

    def __init__(self, content: bytes) -> None:
        """Build it of a file's content.

        Raises:
            Refusal: it is no model, or one that cannot be run.
        """
        self._lite: Any = None
        self._content, self._failures = content, 0
        self._build()

    def run(self, feeds: Sequence[tuple[str, np.ndarray]], fetches: Sequence[tuple[str, str]]) -> dict[str, np.ndarray]:
        """Values of the fetches (alias and tensor) for the feeds (tensor and array), text as object arrays of bytes.

        Raises:
            Refusal: as the real server, or where it has no answer.
        """
        if self._failures >= MOST_FAILURES:
            self._build()
        tensors = sorted(((self.inputs[name], array) for name, array in feeds), key=lambda feed: feed[0].number)
        for number, (name, array) in enumerate(feeds):
            prediction.check_dtype(number, array, self.inputs[name].dtype)
        self._reshape(tensors)
        try:
            for tensor, array in tensors:
                self._lite.set_tensor(tensor.number, self._shaped(tensor, array))
            self._lite.invoke()
            return {alias: _values(self._lite.get_tensor(self.outputs[name].number)) for alias, name in fetches}
        except (RuntimeError, ValueError) as error:
            raise self._failed("Failed to invoke TfLite interpreter", error) from error

    def close(self) -> None:
        """Free it."""
        self._lite = None

    def _build(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._lite = Interpreter(model_content=self._content, num_threads=1)
            details = self._lite.get_input_details(), self._lite.get_output_details()
        except ValueError as error:
            # Its own words, which it does not keep apart: no flatbuffer at all, or operations that it does not know.
            if "Flatbuffer" in str(error):
                raise Refusal(INVALID_ARGUMENT, "Cannot build FlatBufferModel from buffer.") from error
            raise self._failed("Cannot build Interpreter from buffer.", error) from error
        self.inputs, self.outputs = _named(details[0], "Input"), _named(details[1], "Output")
        first = next(iter(self.inputs.values()), None)
        self.batch = first.shape[0] if first and len(self.inputs) == 1 and first.shape else -1
        """Rows that a model of one input was made for; -1 for others (GetModelBatchSize)."""
        self._shapes = {tensor.number: tensor.shape for tensor in self.inputs.values()}
        self._failures = 0
        self._rows = 1
        """That text was last made room for."""
        if first and first.dtype == "string":
            self._resize(first, (1,))
        else:
            self._allocate()

    def _reshape(self, tensors: Sequence[tuple[LiteTensor, np.ndarray]]) -> None:
        # Those of a scalar are none.
        rows = next((array.shape[0] if array.ndim else 0 for _, array in tensors), 1)
        for tensor, array in tensors:
            if tensor.dtype != "string":
                if self._shapes[tensor.number] != array.shape:
                    self._resize(tensor, array.shape)
                continue
            # Text is flat, whatever its shape was; and after its first input there is said to be room for all.
            if self._rows != rows:
                self._resize(tensor, (rows,))
                self._rows = rows
            _check_strings(tensor, array, rows, self._shapes[tensor.number])

    def _resize(self, tensor: LiteTensor, shape: tuple[int, ...]) -> None:
        """Alone, as there: where all inputs must have the same rows, a model of several takes only those it was made for."""
        before = self._shapes[tensor.number]
        try:
            self._lite.resize_tensor_input(tensor.number, shape)
            self._allocate()
        except (RuntimeError, ValueError) as error:
            raise self._failed(f"Failed to resize input tensor: {tensor.name}", error) from error
        except Refusal:
            self._lite.resize_tensor_input(tensor.number, before)
            self._allocate()
            raise
        self._shapes[tensor.number] = shape

    def _allocate(self) -> None:
        try:
            self._lite.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise self._failed("Failed to allocate tensors", error) from error

    def _failed(self, text: str, error: Exception) -> Refusal:
        log.error("%s: %s", text, " ".join(str(error).split())[:500])
        self._failures += 1
        return Refusal(INTERNAL, text)

    def _shaped(self, tensor: LiteTensor, array: np.ndarray) -> np.ndarray:
        shape = self._shapes[tensor.number]
        if tensor.dtype != "string":
            return array
        if shape:
            return array.reshape(shape)
        # Of an object array without dimensions LiteRT 2.3 would take the pointer for the text.
        (text,) = array.flat
        return np.ndarray((), f"S{len(text)}", text)


def _check_strings(tensor: LiteTensor, array: np.ndarray, rows: int, shape: tuple[int, ...]) -> None:
    room = int(np.prod(shape, dtype=int))
    if not array.size == rows == room:
        raise Refusal(
            INVALID_ARGUMENT,
            f"TfLite input {tensor.name}: received strings of shape {list(array.shape)} in a request of {rows} rows, with "
            f"room for {room}; expected one for each row of the first input (tensorflow_model_server would "
            "answer wrongly or crash); try a SavedModel",
        )


def _named(details: Sequence[Mapping[str, Any]], kind: str) -> dict[str, LiteTensor]:
    found: dict[str, LiteTensor] = {}
    for detail in details:
        name, dtype = detail["name"], np.dtype(detail["dtype"])
        if dtype.name in UNKNOWN_TYPES:
            raise Refusal(INTERNAL, f"Unknown TfLite type: {UNKNOWN_TYPES[dtype.name]}")
        if name in found:
            raise Refusal(ALREADY_EXISTS, f"{kind} tensor name: {name} has multiple indices")
        shape = tuple(int(size) for size in detail["shape"])
        found[name] = LiteTensor(name, detail["index"], "string" if dtype.kind == "S" else dtype.name, shape)
    return found


def _values(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "S" else array
