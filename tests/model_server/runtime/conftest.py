"""Models for the runtime: built once for all tests, with the public tools of TensorFlow and Keras."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, with a blank and an umlaut in its path, of models by name."""
    folder = tmp_path_factory.mktemp("built") / "mödels of others"
    save_module(folder / "module")
    save_half_plus_two(folder / "half_plus_two")
    return folder


def save_module(folder: Path) -> None:
    """Several signatures over numbers, text, a table, a ragged tensor and a check that may fail."""
    import tensorflow as tf

    vocabulary = folder.parent / "words.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("no\nyes\nmaybe\n")

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.factor = tf.Variable([2.0, 3.0])
            initializer = tf.lookup.TextFileInitializer(
                tf.saved_model.Asset(str(vocabulary)),
                *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
                *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
            )
            self.table = tf.lookup.StaticHashTable(initializer, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def times(self, x: Any) -> dict[str, Any]:
            return {"product": x * self.factor, "sum": tf.reduce_sum(x * self.factor, 1), "rows": tf.shape(x)[0]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])  # type: ignore[untyped-decorator]
        def words(self, word: Any) -> dict[str, Any]:
            return {
                "place": self.table.lookup(word),
                "upper": tf.strings.upper(word),
                "all": tf.strings.reduce_join(word),
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator]
        def ragged(self, text: Any) -> dict[str, Any]:
            parts = tf.strings.split(text)
            return {"count": parts.row_lengths(), "padded": parts.to_tensor()}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "a"), tf.TensorSpec([None], tf.int64, "b")])  # type: ignore[untyped-decorator]
        def checked(self, a: Any, b: Any) -> dict[str, Any]:
            tf.debugging.assert_non_negative(a, "a must not be negative")
            return {"both": a + tf.cast(b, tf.float32)}

    module = Module()
    signatures = {
        "serving_default": module.times,
        **{name: getattr(module, name) for name in ("words", "ragged", "checked")},
    }
    tf.saved_model.save(module, str(folder), signatures)
    vocabulary.unlink()


def save_half_plus_two(folder: Path, *, assets: tuple[str, ...] = ()) -> None:
    """y = x / 2 + 2 with a variable of TensorFlow 1, which is a reference; the signature also serves as a regression."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("half", initializer=0.5, use_resource=False)
        two = v1.get_variable("two", initializer=2.0, use_resource=True)
        x = v1.placeholder(tf.float32, [None, 1], "x")
        y = tf.identity(x * half + two, "y")
        session.run(v1.global_variables_initializer())
        for name in assets:
            v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(name))
        builder = v1.saved_model.Builder(str(folder))
        info = v1.saved_model.build_tensor_info
        predict = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict")
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": predict})
        builder.add_meta_graph(["serve", "small"], {"small": predict})
        builder.save()


def ones(*shape: int) -> np.ndarray:
    """float32 ones."""
    return np.ones(shape, np.float32)
