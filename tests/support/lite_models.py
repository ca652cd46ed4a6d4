"""Tiny models for LiteRT, converted from graphs of TensorFlow 1, whose tensors keep their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Tensors = Mapping[str, Any]


def save_lite(
    folder: Path, inputs: Mapping[str, tuple[str, list[int | None]]], outputs: Callable[..., Tensors]
) -> Path:
    """`model.tflite` in the folder: `inputs` are dtypes and shapes by name; `outputs` makes tensors by name of them."""
    import tensorflow.compat.v1 as tf

    folder.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        fed = {name: tf.placeholder(dtype, shape, name=name) for name, (dtype, shape) in inputs.items()}
        made = [tf.identity(tensor, name=name) for name, tensor in outputs(**fed).items()]
        converter = tf.lite.TFLiteConverter.from_session(session, list(fed.values()), made)
        (folder / "model.tflite").write_bytes(converter.convert())
    return folder


def texts(folder: Path) -> Path:
    """Of strings x (n): column_bytes (n, 1), the same; and yes (n), which of them are `yes`."""

    def outputs(x: Any) -> Tensors:
        import tensorflow.compat.v1 as tf

        return {"column_bytes": tf.expand_dims(x, 1), "yes": tf.equal(x, b"yes")}

    return save_lite(folder, {"x": ("string", [None])}, outputs)


def joined(folder: Path) -> Path:
    """Of a (n, 1) and b (n, 2): both (n, 3)."""

    def outputs(a: Any, b: Any) -> Tensors:
        import tensorflow.compat.v1 as tf

        return {"both": tf.concat([a, b], 1)}

    return save_lite(folder, {"a": ("float32", [None, 1]), "b": ("float32", [None, 2])}, outputs)
