"""The models that the servers are measured with, and requests for them.

    python models.py FOLDER

Writes FOLDER/NAME/1 (SavedModel), FOLDER/cnn_lite/1 (LiteRT) and for each model and batch the bodies
FOLDER/NAME.BATCH.{grpc,rest}, and FOLDER/NAME.BATCH.{grpc,rest}.answer as long as the real answers.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

BATCHES = (1, 32)
NUMBERS, WORDS = 30, 10
"""Features of the table: float32 columns and columns of text."""

Columns = dict[str, np.ndarray]


def main(folder: Path) -> None:
    for name, model, columns in (("cnn", images(), pixels), ("table", table(), cells)):
        tf.saved_model.save(model, str(folder / name / "1"), signatures={"serving_default": model.serve})
        for batch in BATCHES:
            write(folder / f"{name}.{batch}", name, model, columns(np.random.default_rng(batch), batch))
    lite(folder)


def images() -> Any:
    """A small CNN for images of 28 x 28."""
    random = np.random.default_rng(1)

    def weights(*shape: int) -> tf.Variable:
        return tf.Variable(random.normal(0, 0.1, shape).astype(np.float32))

    class Images(tf.Module):
        def __init__(self) -> None:
            self.first, self.second = weights(3, 3, 1, 16), weights(3, 3, 16, 32)
            self.last, self.bias = weights(7 * 7 * 32, 10), weights(10)

        @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.float32, "image")])
        def serve(self, image: Any) -> dict[str, Any]:
            found = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(image, self.first, 1, "SAME")), 2, 2, "SAME")
            found = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(found, self.second, 1, "SAME")), 2, 2, "SAME")
            return {"scores": tf.nn.softmax(tf.reshape(found, [-1, 7 * 7 * 32]) @ self.last + self.bias)}

    return Images()


def table() -> Any:
    """A wide model: numbers, and words that are hashed into embeddings; every column is an input of its own."""
    random = np.random.default_rng(2)
    names = [*(f"n{at}" for at in range(NUMBERS)), *(f"w{at}" for at in range(WORDS))]
    kinds = [tf.float32] * NUMBERS + [tf.string] * WORDS

    class Table(tf.Module):
        def __init__(self) -> None:
            self.vectors = tf.Variable(random.normal(0, 1, (1000, 8)).astype(np.float32))
            self.hidden = tf.Variable(random.normal(0, 0.1, (NUMBERS + 8 * WORDS, 64)).astype(np.float32))
            self.last = tf.Variable(random.normal(0, 0.1, (64, 1)).astype(np.float32))

        @tf.function(
            input_signature=[tf.TensorSpec([None], kind, name) for name, kind in zip(names, kinds, strict=True)]
        )
        def serve(self, *columns: Any) -> dict[str, Any]:
            numbers = tf.stack(columns[:NUMBERS], axis=1)
            places = tf.strings.to_hash_bucket_fast(tf.stack(columns[NUMBERS:], axis=1), 1000)
            words = tf.reshape(tf.gather(self.vectors, places), [-1, 8 * WORDS])
            hidden = tf.nn.relu(tf.concat([numbers, words], axis=1) @ self.hidden)
            return {"probability": tf.squeeze(tf.sigmoid(hidden @ self.last), axis=1)}

    return Table()


def pixels(random: np.random.Generator, batch: int) -> Columns:
    return {"image": (random.integers(0, 256, (batch, 28, 28, 1)) / 255).astype(np.float32)}


def cells(random: np.random.Generator, batch: int) -> Columns:
    numbers = {f"n{at}": random.normal(size=batch).astype(np.float32) for at in range(NUMBERS)}
    words = {
        f"w{at}": np.array([b"shop-%d" % number for number in random.integers(0, 999, batch)]) for at in range(WORDS)
    }
    return numbers | words


def write(path: Path, name: str, model: Any, columns: Columns) -> None:
    """A request and an answer as long as the real one, over gRPC and over REST."""
    request, answer = PredictRequest(), PredictResponse()
    request.model_spec.name = answer.model_spec.name = name
    for alias, column in columns.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(column))
    answer.model_spec.signature_name, answer.model_spec.version.value = "serving_default", 1
    (alias, value), *_ = model.serve(*(tf.constant(column) for column in columns.values())).items()
    answer.outputs[alias].dtype = value.dtype.as_datatype_enum
    answer.outputs[alias].tensor_shape.CopyFrom(value.shape.as_proto())
    answer.outputs[alias].float_val.extend(value.numpy().ravel())
    bodies = {
        "grpc": request.SerializeToString(),
        "grpc.answer": answer.SerializeToString(),
        "rest": json.dumps({"instances": rows(columns)}).encode(),
        "rest.answer": json.dumps({"predictions": value.numpy().tolist()}).encode(),
    }
    for kind, body in bodies.items():
        path.with_name(f"{path.name}.{kind}").write_bytes(body)


def rows(columns: Columns) -> list[Any]:
    """REST's row format: a bare value where there is one input."""
    plain = {alias: np.round(column, 6).tolist() if column.dtype.kind == "f" else [word.decode() for word in column]
             for alias, column in columns.items()}  # fmt: skip
    if len(plain) == 1:
        return list(next(iter(plain.values())))
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def lite(folder: Path) -> None:
    """The CNN as LiteRT, beside its SavedModel as --prefer_tflite_model finds it."""
    converted = tf.lite.TFLiteConverter.from_saved_model(str(folder / "cnn" / "1")).convert()
    (folder / "cnn_lite" / "1").mkdir(parents=True)
    (folder / "cnn_lite" / "1" / "model.tflite").write_bytes(converted)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
