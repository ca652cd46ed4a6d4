"""Runs the `model.tflite` of a version folder as the real server does with --prefer_tflite_model.

`file.cc` names the source in tensorflow_serving/servables/tensorflow/ (2.21). Of other dtype than the model's, where the
real server copies the bytes as they are, is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from ferryman.model_server.core import ALREADY_EXISTS, FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.file_errors import refused
from ferryman.model_server.runtime import bundle, prediction
from ferryman.model_server.runtime.enclosure import check_links
from ferryman.model_server.runtime.lite_signatures import read_signatures
from ferryman.model_server.runtime.servable import Signature

FILE = "model.tflite"


class LiteModel:
    """A loaded version. `run` may be called from many threads; as many run at a time as there are interpreters."""

    def __init__(self, folder: Path, interpreters: int = 1) -> None:
        """Load it, with so many interpreters (tflite_session.cc, Create: at least one).

        Raises:
            Refusal: with the server's words when it cannot be loaded.
        """
        check_links(folder)
        try:
            content = (folder / FILE).read_bytes()
        except OSError as error:
            raise refused(error) from error
        pool = [_Interpreter(content) for _ in range(max(1, interpreters))]
        self._tensors = pool[0].inputs, pool[0].outputs
        definitions = read_signatures(content, *self._tensors)
        self.batch = pool[0].batch
        self.signatures = bundle.signatures(definitions)
        self.signature_defs = bundle.signature_defs(definitions)
        self._free: SimpleQueue[_Interpreter] = SimpleQueue()
        for interpreter in pool:
            self._free.put(interpreter)

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs by alias (text as object arrays of bytes).

        Raises:
            Refusal: as `predict_util.cc` and `tflite_session.cc` answer.
        """
        signature = self.signature(signature_name, FAILED_PRECONDITION)
        complete = prediction.completed(signature, inputs)
        wanted = prediction.wanted_outputs(signature, output_filter)
        feeds = [(signature.inputs[alias].name, array) for alias, array in complete.items()]
        return self._run(feeds, [(alias, signature.outputs[alias].name) for alias in wanted])

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        """Values by tensor, all of one run of an interpreter (tflite_session.cc, Run).

        Raises:
            Refusal: as `tflite_session.cc` answers.
        """
        return self._run(list(feeds.items()), [(tensor, tensor) for tensor in fetches])

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        """The signature `name` (empty for the default); Refusal when there is none."""
        return prediction.found(self.signatures, name, code)

    def close(self) -> None:
        """Free the interpreters that are free; the others with the last request that runs."""
        while not self._free.empty():
            self._free.get().close()

    def _run(
        self, feeds: Sequence[tuple[str, np.ndarray]], fetches: Sequence[tuple[str, str]]
    ) -> dict[str, np.ndarray]:
        interpreter = self._free.get()
        try:
            return interpreter.run(feeds, fetches)
        finally:
            self._free.put(interpreter)


class LiteTensor(NamedTuple):
    """One input or output of the interpreter."""

    number: int
    dtype: str
    """numpy's name, or `string`."""
    shape: tuple[int, ...]


class _Interpreter:
    """One interpreter with one thread of its own (tflite_interpreter_pool.cc); for one call at a time."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._lite: Any = Interpreter(model_content=content, num_threads=1)
            self.inputs = _named(self._lite.get_input_details())
            self.outputs = _named(self._lite.get_output_details())
        except ValueError as error:
            # Its own words, which it does not keep apart: no flatbuffer at all, or operations that it does not know.
            if "Flatbuffer" in str(error):
                raise Refusal(INVALID_ARGUMENT, "Cannot build FlatBufferModel from buffer.") from error
            raise Refusal(INTERNAL, f"Cannot build Interpreter from buffer. {_line(error)}") from error
        shapes = [tensor.shape for tensor in self.inputs.values()]
        self.batch = shapes[0][0] if len(shapes) == 1 and shapes[0] else -1
        """Rows that a model of one input was made for; -1 for others (tflite_session.cc, GetModelBatchSize)."""
        self._shapes = {tensor.number: tensor.shape for tensor in self.inputs.values()}
        self._allocate()

    def run(self, feeds: Sequence[tuple[str, np.ndarray]], fetches: Sequence[tuple[str, str]]) -> dict[str, np.ndarray]:
        """Values of the fetches (alias and tensor) for the feeds (tensor and array). Refusal as tflite_session.cc."""
        tensors = [(self.inputs[name], array) for name, array in feeds]
        for number, (tensor, array) in enumerate(tensors):
            prediction.check_dtype(number, array, tensor.dtype)
        self._resize(tensors)
        try:
            for tensor, array in tensors:
                self._lite.set_tensor(tensor.number, array)
            self._lite.invoke()
            return {alias: _values(self._lite.get_tensor(self.outputs[name].number)) for alias, name in fetches}
        except (RuntimeError, ValueError) as error:
            raise Refusal(INTERNAL, f"Failed to invoke TfLite interpreter: {_line(error)}") from error

    def close(self) -> None:
        """Free it."""
        self._lite = None

    def _resize(self, tensors: Sequence[tuple[LiteTensor, np.ndarray]]) -> None:
        changed = [(tensor, array.shape) for tensor, array in tensors if self._shapes[tensor.number] != array.shape]
        for tensor, shape in changed:
            # Until it is allocated anew, it has no shape that a later request could rely on.
            self._shapes[tensor.number] = (-2,)
            try:
                self._lite.resize_tensor_input(tensor.number, shape)
            except (RuntimeError, ValueError) as error:
                raise Refusal(INTERNAL, f"Failed to resize input tensor to {list(shape)}: {_line(error)}") from error
        if changed:
            self._allocate()
            self._shapes.update({tensor.number: shape for tensor, shape in changed})

    def _allocate(self) -> None:
        try:
            self._lite.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise Refusal(INTERNAL, f"Failed to allocate tensors: {_line(error)}") from error


def has_lite(folder: Path) -> bool:
    """Whether the version has a model for LiteRT (saved_model_bundle_factory.cc, TfLiteModelFound)."""
    return (folder / FILE).exists()


def _named(details: Sequence[Mapping[str, Any]]) -> dict[str, LiteTensor]:
    found: dict[str, LiteTensor] = {}
    for detail in details:
        name, dtype = detail["name"], np.dtype(detail["dtype"])
        if name in found:
            raise Refusal(ALREADY_EXISTS, f"tensor name: {name} has multiple indices")
        shape = tuple(int(size) for size in detail["shape"])
        found[name] = LiteTensor(detail["index"], "string" if dtype.kind == "S" else dtype.name, shape)
    return found


def _values(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "S" else array


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
