"""SavedModels with one signature for every thing that a request can meet: each dtype, examples, and every wrong shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

CLASSIFY, REGRESS, PREDICT = (f"tensorflow/serving/{name}" for name in ("classify", "regress", "predict"))
"""The method names. Source: tensorflow/cc/saved_model/signature_constants.h."""

LABELS = ("small", "large")
"""The classes of `classify`."""

FACTORS = {1: 10.0, 2: 100.0}
"""Version -> what its answers are multiplied by."""

Graph = dict[str, Any]
"""Alias -> tensor."""


def save_request_model(folder: Path, factor: float) -> None:
    """A SavedModel without variables whose answers are multiplied by `factor`, so that two versions can be told apart."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = dict(tensors(factor)) | dict(examples(factor)) | dict(misfits())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def save_tiny_model(folder: Path) -> None:
    """A SavedModel with one signature of one input and one output: its metadata can be written in one order only."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        only = signature({"x": x}, {"y": tf.multiply(x, 2.0, name="y")})
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": only})
        builder.save()


def save_slow_model(folder: Path) -> None:
    """A SavedModel that counts to `x`, one step after the other: 1e6 steps take a second or more."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [], name="x")
        (counted,) = tf.while_loop(lambda i: i < x, lambda i: i + 1.0, [tf.constant(0.0)], parallel_iterations=1)
        only = signature({"x": x}, {"y": tf.identity(counted)})
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": only})
        builder.save()


def signature(inputs: Graph, outputs: Graph, method: str = PREDICT, defaults: Graph | None = None) -> Any:
    """A SignatureDef over tensors of the graph; `defaults` are values for inputs that a request may leave out."""
    import tensorflow as tf

    info = tf.compat.v1.saved_model.build_tensor_info
    made = tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {alias: info(tensor) for alias, tensor in inputs.items()},
        {alias: info(tensor) for alias, tensor in outputs.items()},
        method,
    )
    for alias, value in (defaults or {}).items():
        made.defaults[alias].CopyFrom(tf.make_tensor_proto(value))
    return made


@contextmanager
def named(scope: str) -> Iterator[Callable[..., Any]]:
    """A scope of the graph, and what makes placeholders in it: (dtype, shape) -> tensor."""
    import tensorflow as tf

    with tf.compat.v1.name_scope(scope):
        yield lambda dtype, shape=None: tf.compat.v1.placeholder(dtype, shape)


def tensors(factor: float) -> Iterator[tuple[str, Any]]:
    """Predict signatures: `serving_default` multiplies, `copy_DTYPE` gives back, others answer in awkward ways."""
    import tensorflow as tf

    with named("serve") as placeholder:
        x = placeholder(tf.float32, [None])
        yield "serving_default", signature({"x": x}, {"y": x * factor})
    for dtype in (tf.float32, tf.float64, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64, tf.bool, tf.half):
        yield f"copy_{dtype.name}", copy(dtype)
    for alias in ("y", "y_bytes"):
        with named(f"text_{alias}") as placeholder:
            text = placeholder(tf.string)
            yield f"text_{alias}", signature({"x": text}, {alias: tf.identity(text)})
    with named("two") as placeholder:
        number, whole = placeholder(tf.float32, [None]), placeholder(tf.int64, [None])
        outputs = {"sum": number + tf.cast(whole, tf.float32), "double": whole * 2}
        yield "two", signature({"a": number, "b": whole}, outputs)
        yield "two_with_default", signature({"a": number, "b": whole}, outputs, defaults={"b": np.array([7])})
    with named("awkward") as placeholder:
        x = placeholder(tf.float32)
        yield "scalar", signature({"x": x}, {"y": tf.reduce_sum(x)})
        yield "uneven", signature({"x": x}, {"y": tf.identity(x), "z": tf.concat([x, x], 0)})
        yield "empty", signature({"x": x}, {"y": x[:0]})
        with tf.control_dependencies([tf.compat.v1.assert_positive(x, message="x is not positive")]):
            yield "fails", signature({"x": x}, {"y": tf.identity(x)})
        yield "reciprocal", signature({"x": x}, {"y": 1.0 / x})
        yield "pairs", signature({"x": x}, {"y": tf.reduce_sum(tf.reshape(x, [-1, 2]), 1)})


def copy(dtype: Any) -> Any:
    """A signature that answers what it gets."""
    import tensorflow as tf

    with named(f"copy_{dtype.name}") as placeholder:
        x = placeholder(dtype)
        return signature({"x": x}, {"y": tf.identity(x)})


def parsed(factor: float) -> tuple[Any, Any, Any, Any]:
    """Serialized examples -> themselves, the feature `x` times factor, the feature `names`, and the features `whole`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with named("examples") as placeholder:
        serialized = placeholder(tf.string, [None])
        features = {
            "x": v1.FixedLenFeature([], tf.float32, default_value=0.0),
            "name": v1.FixedLenFeature([], tf.string, default_value=""),
            "whole": v1.FixedLenFeature([], tf.int64, default_value=0),
        }
        values = v1.parse_example(serialized, features)
        return serialized, values["x"] * factor, values["name"], tf.cast(values["whole"], tf.float32)


def examples(factor: float) -> Iterator[tuple[str, Any]]:
    """Signatures that take serialized examples: their features are `x` (float), `name` (bytes) and `whole` (int64)."""
    import tensorflow as tf

    serialized, x, name, whole = parsed(factor)
    column = tf.expand_dims(x + whole, 1)
    scores = tf.concat([column, -column], 1)
    classes = tf.tile([LABELS], [tf.shape(serialized)[0], 1])
    single = {"inputs": serialized}
    yield "classify", signature(single, {"classes": classes, "scores": scores}, CLASSIFY)
    yield "classify_scores", signature(single, {"scores": scores}, CLASSIFY)
    yield "classify_names", signature(single, {"classes": tf.expand_dims(name, 1)}, CLASSIFY)
    yield "regress", signature(single, {"outputs": x + whole}, REGRESS)
    yield "regress_column", signature(single, {"outputs": column}, REGRESS)
    yield "unlikely_method", signature(single, {"outputs": x}, PREDICT)
    with named("other") as placeholder:
        other = placeholder(tf.string, [None])
        lengths = tf.cast(tf.strings.length(other), tf.float32)
        yield "regress_lengths", signature({"inputs": other}, {"outputs": lengths}, REGRESS)


def misfits() -> Iterator[tuple[str, Any]]:
    """Classify and regress signatures that are wrong in one thing each."""
    import tensorflow as tf

    serialized, x, name, _ = parsed(1.0)
    column = tf.expand_dims(x, 1)
    single = {"inputs": serialized}
    names = tf.expand_dims(name, 1)
    with named("second") as placeholder:
        two = single | {"second": placeholder(tf.string, [None])}
        yield "classify_two_inputs", signature(two, {"scores": column}, CLASSIFY)
        yield "regress_two_inputs", signature(two, {"outputs": x}, REGRESS)
    yield "classify_three_outputs", signature(single, {"scores": column, "classes": names, "more": x}, CLASSIFY)
    yield "classify_wrong_input", signature({"examples": serialized}, {"scores": column}, CLASSIFY)
    yield "classify_wrong_output", signature(single, {"logits": column}, CLASSIFY)
    yield "classify_flat_scores", signature(single, {"scores": x}, CLASSIFY)
    yield "classify_flat_classes", signature(single, {"classes": name}, CLASSIFY)
    yield "classify_double", signature(single, {"scores": tf.cast(column, tf.float64)}, CLASSIFY)
    yield "classify_numbers", signature(single, {"classes": column}, CLASSIFY)
    yield "classify_uneven", signature(single, {"classes": names, "scores": tf.concat([column, column], 1)}, CLASSIFY)
    yield "classify_one", signature(single, {"scores": column[:1]}, CLASSIFY)
    yield "regress_two_outputs", signature(single, {"outputs": x, "more": x}, REGRESS)
    yield "regress_wrong_input", signature({"examples": serialized}, {"outputs": x}, REGRESS)
    yield "regress_wrong_output", signature(single, {"scores": x}, REGRESS)
    yield "regress_wide", signature(single, {"outputs": tf.concat([column, column], 1)}, REGRESS)
    yield "regress_one", signature(single, {"outputs": x[:1]}, REGRESS)
    yield "regress_double", signature(single, {"outputs": tf.cast(x, tf.float64)}, REGRESS)
