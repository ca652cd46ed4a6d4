"""Runs the `model.tflite` of a version folder as the real server does with --prefer_tflite_model.

`file.cc` names the source in tensorflow_serving/servables/tensorflow/ (2.21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT
from ferryman.model_server.file_errors import refused
from ferryman.model_server.runtime import bundle, prediction
from ferryman.model_server.runtime.enclosure import check_links
from ferryman.model_server.runtime.lite_interpreter import LiteInterpreter
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
        pool = [LiteInterpreter(content) for _ in range(max(1, interpreters))]
        self._tensors = pool[0].inputs, pool[0].outputs
        definitions = read_signatures(content, *self._tensors)
        self.batch = pool[0].batch
        self.signatures = bundle.signatures(definitions)
        self.signature_defs = bundle.signature_defs(definitions)
        self._free: SimpleQueue[LiteInterpreter] = SimpleQueue()
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


def has_lite(folder: Path) -> bool:
    """Whether the version has a model for LiteRT (saved_model_bundle_factory.cc, TfLiteModelFound)."""
    return (folder / FILE).exists()
