"""Before the first epoch: the user's code is tried on a few rows, and refused with the place where it is wrong.

What every model can be trusted with because our tests see it (features whose numpy reference agrees, probabilities, an
export that both loaders answer alike) is proven here for code that nobody has seen before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.code.place import blaming, wrong
from ferryman.features import Fitted, UserFeatureOptions
from ferryman.features.base import FeatureOptions
from ferryman.golden.compare import compare
from ferryman.golden.golden_set import Tensors
from ferryman.metrics import Metric
from ferryman.model_server.core import Refusal
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.models.core import ClassHead
from ferryman.models.user_core import UserCore
from ferryman.process import one_line
from ferryman.steps.train.export import export_saved_model
from ferryman.steps.train.rows import Rows
from ferryman.steps.train.trained import TrainedModel, signature, text_as_bytes

ROWS = 64
"""Rows that are tried: enough to show what is wrong with all rows, few enough to cost nothing."""

TOLERANCE = 1e-6
"""How far `reference` may lie from `transform`: absolute, and relative where numbers are large."""

SUM = 1e-3
"""How far the sum of a row's probabilities may lie from 1: room for float32 over thousands of classes."""

PYTHON_OPS = (b"EagerPyFunc", b"PyFuncStateless", b"PyFunc")
"""Operations that call back into this very process: no server and no other process can run them."""


def load_features(features: Mapping[str, FeatureOptions]) -> None:
    """Refuse classes and options of the user's features that cannot be had, each with its place in the spec."""
    for name, feature in features.items():
        if isinstance(feature, UserFeatureOptions):
            feature.load(f"data.features.{name}")


def rehearse_features(features: Mapping[str, FeatureOptions], fitted: Mapping[str, Fitted], rows: Rows) -> None:
    """Refuse features of the user's whose `transform` and `reference` fail or do not agree on the first rows.

    Raises:
        UserCodeError: with the place. SpecError: two features would have a tensor of one name.
    """
    import tensorflow as tf

    for name, feature in features.items():
        if not isinstance(feature, UserFeatureOptions):
            continue
        raw = rows.raw[name][:ROWS]
        spec, made = feature.raw_spec(name), feature.load()
        graph = tf.function(
            lambda raw, name=name, feature=feature: feature.transform(name, fitted[name], raw[name]),
            input_signature=signature([spec]), autograph=False,
        )  # fmt: skip
        with blaming(made.transform, f"{type(made).__name__}.transform fails"):
            device = {key: tensor.numpy() for key, tensor in graph({name: tf.constant(text_as_bytes(raw))}).items()}
        reference = feature.reference(name, fitted[name], raw)
        found = compare(device, reference, TOLERANCE, TOLERANCE)
        if not found.ok:
            what = f"{type(made).__name__}.reference and transform disagree on the first {len(raw)} rows"
            raise wrong(made.reference, f"feature {name!r}: {what}: {found.reason} (expected is what transform gives)")


def rehearse_model(model: TrainedModel, rows: Rows, metrics: Iterable[Metric] = ()) -> None:
    """Refuse a model of the user's, not trained yet, whose answers are no probabilities or that cannot be exported.

    A built-in model is tried as well where it stands on features of the user's. `metrics` are tried on its answers.

    Raises:
        UserCodeError: with the place.
    """
    few = rows.take(np.arange(min(ROWS, len(rows))))
    culprit = _culprit(model)
    with blaming(culprit, "the model cannot be run"):
        answers = model.answers(few.raw)
    output = model.head.outputs[0].name
    _check_answers(culprit, answers[output], classes=isinstance(model.head, ClassHead))
    for metric in metrics:
        metric.compute(few.target, answers[output].astype(np.float64))
    with tempfile.TemporaryDirectory(prefix="ferryman-rehearsal-") as folder:
        _check_export(culprit, model, few.raw, answers, Path(folder))


def _culprit(model: TrainedModel) -> Any:
    """Whom to blame where an error shows no line of the user's."""
    core = model.core_model
    if isinstance(core, UserCore):
        return core.author.build
    own = (feature.load().transform for feature in model.features.values() if isinstance(feature, UserFeatureOptions))
    return next(own, rehearse_model)


def _check_answers(culprit: Any, answer: np.ndarray, *, classes: bool) -> None:
    if not np.isfinite(answer).all():
        raise wrong(
            culprit, f"{_broken(answer)} of {len(answer)} rows are answered with NaN or infinity by the new model"
        )
    if not classes:
        return
    sums, least = answer.sum(axis=1), float(answer.min())
    if least < 0 or np.abs(sums - 1).max() > SUM:
        message = (
            f"the model gives numbers from {least:.3g} to {answer.max():.3g} that add up to {sums.min():.3g} to "
            f"{sums.max():.3g} a row, expected probabilities that add up to 1: are these logits? "
            "(end with activation='softmax')"
        )
        raise wrong(culprit, message)


def _check_export(culprit: Any, model: TrainedModel, raw: Tensors, answers: Tensors, folder: Path) -> None:
    """Refuse what cannot be exported, or answers otherwise once it was."""
    with blaming(culprit, "the model cannot be exported"):
        export_saved_model(model, folder / "saved_model")
    graph = (folder / "saved_model" / "saved_model.pb").read_bytes()
    if any(operation in graph for operation in PYTHON_OPS):
        message = "the model cannot be exported: it calls back into Python (tf.py_function or tf.numpy_function)"
        raise wrong(culprit, f"{message}: use TensorFlow's or keras.ops' own operations")
    with blaming(culprit, "the exported model cannot be loaded and run"):
        reason = answers_otherwise(folder / "saved_model", raw, answers)
    if reason:
        raise wrong(culprit, reason)


def answers_otherwise(
    saved_model: Path, raw: Tensors, answers: Tensors, absolute: float = TOLERANCE, relative: float = TOLERANCE
) -> str:
    """How a SavedModel's answers differ from those in memory, in TensorFlow 2 or a server's v1 session; empty if they agree."""
    import tensorflow as tf

    sent = {name: text_as_bytes(tensor) for name, tensor in raw.items()}
    served = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    by_loader = {"TensorFlow 2": served(**{name: tf.constant(tensor) for name, tensor in sent.items()})}
    by_loader["TensorFlow 2"] = {name: tensor.numpy() for name, tensor in by_loader["TensorFlow 2"].items()}
    try:
        session = SavedModel(saved_model)
        by_loader["a server's session"] = session.run("serving_default", sent)
        session.close()
    except Refusal as error:
        return f"a server cannot load and run the exported model: {one_line(error)}"
    for loader, answered in by_loader.items():
        found = compare(answers, answered, absolute, relative)
        if not found.ok:
            return f"exported, and loaded by {loader}, the model answers otherwise: {found.reason}"
    return ""


def _broken(answer: np.ndarray) -> int:
    return int((~np.isfinite(answer.reshape(len(answer), -1)).all(axis=1)).sum())
