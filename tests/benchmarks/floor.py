"""The floor: what one plain script takes for the same job, in one process and without a single check.

    python floor.py images|table DATA EPOCHS OUT

Reads, trains, evaluates, exports a SavedModel, converts to float32 and int8 TFLite. Its networks, batches and splits
are those of the specs; nothing here is Ferryman's.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

Columns = dict[str, np.ndarray]


def images(path: Path, settings: dict[str, Any]) -> tuple[Columns, np.ndarray, Callable[[Columns], keras.Model]]:
    """Pixels and digits of a gzipped CSV file without a header."""
    with gzip.open(path, "rt") as file:
        cells = np.loadtxt(file, delimiter=",", dtype=np.float32)
    side = settings["side"]
    pixels = cells[:, :-1].astype(np.uint8).reshape(-1, side, side, 1)

    def build(train: Columns) -> keras.Model:
        inputs = keras.Input(shape=(side, side, 1), dtype="uint8", name="image")
        tensor = keras.layers.Rescaling(1.0 / settings["scale"])(inputs)
        for filters in settings["filters"]:
            tensor = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(tensor)
            tensor = keras.layers.MaxPooling2D(2)(tensor)
        tensor = keras.layers.Dropout(0.4)(keras.layers.Flatten()(tensor))
        tensor = keras.layers.Dropout(0.4)(keras.layers.Dense(settings["dense"], activation="relu")(tensor))
        return keras.Model({"image": inputs}, keras.layers.Dense(10, activation="softmax")(tensor))

    return {"image": pixels}, cells[:, -1].astype(np.int64), build


def table(path: Path, settings: dict[str, Any]) -> tuple[Columns, np.ndarray, Callable[[Columns], keras.Model]]:
    """Numbers with gaps, and categories as ids, of a CSV file with a header."""
    from pyarrow import csv

    read = csv.read_csv(path, convert_options=csv.ConvertOptions(null_values=[""], strings_can_be_null=True))
    columns: Columns = {
        name: np.asarray(read[name].to_numpy(), np.float32) for name in read.column_names if name.startswith("x")
    }
    vocabulary: dict[str, int] = {}
    for name in ("shop", "colour"):
        values, ids = np.unique(read[name].fill_null("").to_numpy().astype(str), return_inverse=True)
        columns[name], vocabulary[name] = ids.astype(np.int32), len(values)
    _, target = np.unique(read["kind"].to_numpy().astype(str), return_inverse=True)

    def build(train: Columns) -> keras.Model:
        inputs, parts = {}, []
        for name, column in train.items():
            inputs[name] = keras.Input(shape=(), dtype=str(column.dtype), name=name)
            if name in vocabulary:
                parts.append(keras.layers.Embedding(vocabulary[name], settings["width"])(inputs[name]))
                continue
            missing = keras.ops.isnan(inputs[name])
            normal = (inputs[name] - float(np.nanmean(column))) / float(np.nanstd(column))
            parts.append(keras.ops.expand_dims(keras.ops.where(missing, 0.0, normal), -1))
            parts.append(keras.ops.expand_dims(keras.ops.cast(missing, "float32"), -1))
        tensor = keras.layers.Concatenate()(parts)
        for units in settings["hidden"]:
            tensor = keras.layers.Dropout(0.1)(keras.layers.Dense(units, activation="relu")(tensor))
        return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(tensor))

    return columns, target, build


def main() -> None:
    """Do the job that the arguments name."""
    kind, data, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[4])
    settings = json.loads(sys.argv[5])
    columns, target, build = (images if kind == "images" else table)(data, settings)
    order = np.random.default_rng(7).permutation(len(target))
    test, validation, train = np.split(
        order, [int(settings["test"] * len(order)), int((settings["test"] + settings["validation"]) * len(order))]
    )

    def rows(chosen: np.ndarray) -> tuple[Columns, np.ndarray]:
        return {name: column[chosen] for name, column in columns.items()}, target[chosen]

    model = build(rows(train)[0])
    model.compile(optimizer=keras.optimizers.Adam(settings["rate"]), loss="sparse_categorical_crossentropy")
    model.fit(
        *rows(train), batch_size=settings["batch"], epochs=int(sys.argv[3]), validation_data=rows(validation), verbose=0
    )
    given, true = rows(test)
    print("accuracy", float(np.mean(model.predict(given, verbose=0).argmax(axis=1) == true)))
    model.export(out / "saved_model", verbose=False)
    calibration = rows(train[:200])[0]
    for rung in ("float32", "int8"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(out / "saved_model"), signature_keys=["serve"])
        if rung == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                ("serve", {name: column[row : row + 1] for name, column in calibration.items()}) for row in range(200)
            )
        (out / f"{rung}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main()
