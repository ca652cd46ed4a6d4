"""Tiny SavedModels built by the TF 1 API, whose versions answer differently: the same graphs for every server."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def line(folder: Path, factor: float, offset: float) -> Path:
    """y = factor x + offset with ref variables, as TF 1 models have them.

    Signatures: `serving_default` (predict: x float of any shape -> y), `regress` (tf.Example "x" -> outputs, (n, 1)),
    `classify` (-> classes and scores, both (n, 2): "low" with y and "high" with y + 1), `scores` (classify: -> scores
    only) and `named` (predict: tf.Example -> outputs).
    """
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.Variable(factor, name="a", use_resource=False)
        b = tf.Variable(offset, name="b", use_resource=False)
        x = tf.placeholder(tf.float32, name="x")
        y = tf.add(tf.multiply(a, x), b, name="y")
        examples = tf.placeholder(tf.string, [None], name="tf_example")
        parsed = tf.io.parse_example(examples, {"x": tf.FixedLenFeature([1], tf.float32)})
        each = tf.add(tf.multiply(a, parsed["x"]), b, name="y_of_example")
        scores = tf.concat([each, each + 1.0], axis=1, name="scores")
        classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(each)[0], 1], name="classes")
        session.run(tf.global_variables_initializer())
        signatures = {
            "serving_default": signature({"x": x}, {"y": y}, "predict"),
            "regress": signature({"inputs": examples}, {"outputs": each}, "regress"),
            "classify": signature({"inputs": examples}, {"classes": classes, "scores": scores}, "classify"),
            "scores": signature({"inputs": examples}, {"scores": scores}, "classify"),
            "named": signature({"inputs": examples}, {"outputs": each}, "predict"),
        }
        return save(session, folder, signatures)


def counter(folder: Path) -> Path:
    """A count kept in a ref variable: `incr` (delta -> output), `get` and `reset` (no inputs -> output)."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        count = tf.Variable(0.0, name="count", use_resource=False)
        delta = tf.placeholder(tf.float32, [], name="delta")
        incr = tf.assign_add(count, delta, name="incr")
        reset = tf.assign(count, 0.0, name="reset")
        session.run(tf.global_variables_initializer())
        signatures = {
            "serving_default": signature({"delta": delta}, {"output": incr}, "predict"),
            "incr": signature({"delta": delta}, {"output": incr}, "predict"),
            "get": signature({}, {"output": tf.identity(count, name="get")}, "predict"),
            "reset": signature({}, {"output": reset}, "predict"),
        }
        return save(session, folder, signatures)


def tally(folder: Path) -> Path:
    """Counts its runs, and answers the count for each tf.Example.

    Signatures: `regress` and `again` (regress: -> outputs, the same tensor), `classify` (-> scores, (n, 1)) and `aside`
    (regress, of another input tensor).
    """
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        count = tf.Variable(0.0, name="count", use_resource=True)
        runs = count.assign_add(1.0)
        examples, others = (tf.placeholder(tf.string, [None], name=name) for name in ("examples", "others"))
        each, aside = (tf.fill(tf.shape(fed), runs) for fed in (examples, others))
        session.run(tf.global_variables_initializer())
        signatures = {
            "regress": signature({"inputs": examples}, {"outputs": each}, "regress"),
            "again": signature({"inputs": examples}, {"outputs": each}, "regress"),
            "classify": signature({"inputs": examples}, {"scores": each[:, None]}, "classify"),
            "aside": signature({"inputs": others}, {"outputs": aside}, "regress"),
        }
        return save(session, folder, signatures)


def loop(folder: Path) -> Path:
    """Counts to n one by one, which takes some microseconds each: n (int32) -> counted."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        n = tf.placeholder(tf.int32, [], name="n")
        counted = tf.while_loop(lambda i: i < n, lambda i: i + 1, [tf.constant(0)], parallel_iterations=1)
        return save(session, folder, {"serving_default": signature({"n": n}, {"counted": counted}, "predict")})


def peers(folder: Path) -> Path:
    """How many rows ran together: x (float, one per row) -> rows, the size of the whole batch in each row, and y = x."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        z = tf.placeholder_with_default(tf.zeros_like(x), [None], name="z")
        rows = tf.fill(tf.shape(x), tf.shape(x)[0], name="rows")
        single = signature({"x": x}, {"rows": rows, "y": tf.identity(x)}, "predict")
        double = signature({"x": x, "z": z}, {"rows": rows, "y": tf.concat([x, z], 0)[: tf.shape(x)[0]]}, "predict")
        return save(session, folder, {"serving_default": single, "two": double})


def signature(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> Any:
    """A SignatureDef; `method` is predict, classify or regress."""
    import tensorflow.compat.v1 as tf

    def info(tensors: dict[str, Any]) -> dict[str, Any]:
        return {alias: tf.saved_model.utils.build_tensor_info(tensor) for alias, tensor in tensors.items()}

    return tf.saved_model.build_signature_def(info(inputs), info(outputs), f"tensorflow/serving/{method}")


def save(session: Any, folder: Path, signatures: dict[str, Any]) -> Path:
    """Write the session's graph and variables as the SavedModel `folder`, tagged `serve`."""
    import tensorflow.compat.v1 as tf

    builder = tf.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
    builder.save()
    return folder
