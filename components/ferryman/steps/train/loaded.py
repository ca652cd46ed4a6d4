"""A SavedModel of others in memory: loaded as evaluate does and as the server does, asked for the golden answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import SpecError
from ferryman.features import FeatureOptions, feed_tensors
from ferryman.golden.golden_set import GoldenSet, Tensors
from ferryman.model_server.core import Refusal
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.models.runtime import quiet_tensorflow
from ferryman.process import one_line
from ferryman.steps.train.choose_golden import request_rows, storable

SUM_BOUND = 1e-3
"""How far the probabilities of a row may lie from 1 together: float16 ones stay within it, logits do not."""


SESSION_ROWS = 8
"""Rows that the server's kind of session is tried with; the serving check asks for all of them."""


class LoadedModel:
    """The SavedModel in `folder`.

    Raises:
        SpecError: TensorFlow cannot load it; says why.
    """

    def __init__(self, folder: Path) -> None:
        quiet_tensorflow()
        import tensorflow as tf

        self._folder = folder
        try:
            # The signatures hold no reference to the object that owns their variables.
            self._loaded: Any = tf.saved_model.load(str(folder))
        except Exception as error:  # TensorFlow raises whatever its parts do
            raise SpecError("model.source", f"TensorFlow {tf.__version__} cannot load it: {one_line(error)}") from error

    def golden(
        self, card: ModelCard, features: Mapping[str, FeatureOptions], raw: Mapping[str, np.ndarray]
    ) -> GoldenSet:
        """The golden set of these raw rows, answered here.

        Raises:
            SpecError: the answers are no probabilities, or not one a class; or a server's session cannot give them.
            DataError: a row cannot be fed to the signature.
        """
        requests = card.request(raw)
        answers = self._call(card.signature, requests)
        check_answers(card, answers)
        stored = storable(requests)
        self._try_session(card.signature, {name: tensor[:SESSION_ROWS] for name, tensor in stored.items()})
        return GoldenSet(request_rows(requests), stored, self._device(card, raw), storable(answers))

    def weights(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name and values of each variable of the checkpoint."""
        import tensorflow as tf

        checkpoint = self._folder / "variables" / "variables"
        if not checkpoint.with_suffix(".index").is_file():
            return
        reader = tf.train.load_checkpoint(str(checkpoint))
        for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
            # Text in a checkpoint is the bookkeeping of TensorFlow's object graph.
            if dtype != tf.string:
                yield name, np.asarray(reader.get_tensor(name))

    def variables(self, signature: str) -> list[tuple[str, np.ndarray]]:
        """Name and values of the variables that a signature uses, by the names that Keras gave them."""
        return [
            (variable.name.partition(":")[0], variable.numpy())
            for variable in self._loaded.signatures[signature].variables
        ]

    def _try_session(self, signature: str, inputs: Tensors) -> None:
        """Load the files as a server does, and ask for an answer: some load there and lack their variables."""
        try:
            served = SavedModel(self._folder)
            try:
                served.run(signature, {name: _objects(tensor) for name, tensor in inputs.items()})
            finally:
                served.close()
        except Refusal as error:
            raise SpecError(
                "model.source",
                f"it answers in TensorFlow 2, but not in the session that a server uses: {one_line(error)} (a Keras 3 "
                "model needs `model.export(FOLDER)`; tf.saved_model.save of a module round it is not enough)",
            ) from error

    def _device(self, card: ModelCard, raw: Mapping[str, np.ndarray]) -> Tensors:
        if card.core is None:
            return {}
        if card.core.feeds is not None:
            return storable(feed_tensors(card.core.feeds, raw))
        return storable(self._call("transform", dict(raw)))

    def _call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Tensors:
        import tensorflow as tf

        try:
            outputs = self._loaded.signatures[signature](
                **{name: tf.constant(tensor) for name, tensor in inputs.items()}
            )
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise SpecError(
                "model.source", f"the signature {signature!r} does not answer the first test rows: {one_line(error)}"
            ) from error
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def _objects(tensor: np.ndarray) -> np.ndarray:
    return tensor.astype(object) if tensor.dtype.kind == "S" else tensor


def check_answers(card: ModelCard, answers: Mapping[str, np.ndarray]) -> None:
    """Refuse answers of which the numbers are not what their place promises: one a row; of classes, probabilities."""
    numbers, rows = answers[card.numeric_output], {len(tensor) for tensor in answers.values()}
    if len(rows) > 1:
        raise SpecError(
            "model.output", f"its outputs have {sorted(rows)} rows for one request, expected one a row each"
        )
    if card.task == "number":
        return
    if numbers.ndim != 2 or numbers.shape[1] != len(card.classes):
        raise SpecError(
            "model.classes",
            f"the output {card.numeric_output!r} gives {list(numbers.shape)}, expected {len(card.classes)} columns, one a class",
        )
    known = numbers[np.isfinite(numbers).all(axis=1)].astype(np.float64)
    apart = np.abs(known.sum(axis=1) - 1.0) > SUM_BOUND
    if apart.any() or (known < -SUM_BOUND).any():
        row = known[np.argmax(apart)] if apart.any() else known[(known < -SUM_BOUND).any(axis=1).argmax()]
        raise SpecError(
            "model.output",
            f"the output {card.numeric_output!r} answers a row with {np.round(row[:5], 3).tolist()}, which sum to "
            f"{row.sum():.3f}, expected probabilities (from 0 to 1, sum 1): end the model with a softmax, then save it again",
        )
