"""Warm-up files: TFRecords of PredictionLog in a version's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving_client import fill, predict_request


def write(version: Path, records: Iterable[Any]) -> Path:
    """The warm-up file of a version's folder, of messages or bytes."""
    import tensorflow as tf

    file = version / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.SerializeToString())
    return file


def predict_log(inputs: dict[str, Any], **spec: Any) -> Any:
    """A PredictionLog of a Predict request, as for `Client.predict`."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    log.predict_log.request.CopyFrom(predict_request(inputs, **spec))
    return log


def example_log(kind: str, values: Iterable[float], **spec: Any) -> Any:
    """A PredictionLog of a Classify or Regress request (`kind`: classify, regress) with one example a value."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = getattr(log, f"{kind}_log").request
    fill(request.model_spec, **spec)
    add_examples(request.input, values)
    return log


def add_examples(input: Any, values: Iterable[float]) -> None:
    """One tf.Example {"x": value} each."""
    for value in values:
        input.example_list.examples.add().features.feature["x"].float_list.value.append(value)
