"""Replays the requests that a version carries with it, before it serves.

Source, whose codes and texts these are: tensorflow_serving/servables/tensorflow/{saved_model_warmup,
saved_model_warmup_util}.cc, 2.21.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ferryman.model_server import inference, metrics
from ferryman.model_server.core import DATA_LOSS, INVALID_ARGUMENT, UNIMPLEMENTED, Refusal
from ferryman.model_server.runtime.servable import Servable
from ferryman.serving.protocol import PredictionLog

log = logging.getLogger("ferryman.model_server")

FILE = Path("assets.extra") / "tf_serving_warmup_requests"

RECORDS = 1000
"""More are refused (WarmupConsts::kMaxNumRecords)."""

KINDS = {"session_run_log": 5, "predict_streamed_log": 7}
"""Kinds that are not replayed, with the number that the real server tells."""


def warm_up(servable: Servable, folder: Path, iterations: int = 0) -> None:
    """Run each record of the version's warm-up file `iterations` times (once for 0), where there is such a file.

    Raises:
        Refusal: the file is damaged or too long, or a request is refused.
    """
    path = folder / FILE
    if not path.exists():
        return
    begun = time.perf_counter()
    count = 0
    try:
        for count, record in enumerate(_records(path), 1):
            _replay(servable, _parsed(record, path), max(1, iterations))
            if count > RECORDS:
                text = f"Number of warmup records exceeds the maximum ({RECORDS}) at {path}"
                raise Refusal(INVALID_ARGUMENT, text)
    except _Damaged as damage:
        _count(folder, f"DATA_LOSS: {damage}", begun, count)
        raise Refusal(DATA_LOSS, f"{damage}. Please verify your warmup data is in TFRecord format.") from damage
    _count(folder, "OK", begun, count)
    told = {"path": path, "count": count, "ms": (time.perf_counter() - begun) * 1e3}
    log.info("Finished reading warmup data at %(path)s: %(count)d records in %(ms).0f ms", told)


class _Damaged(Exception):
    """The file is no TFRecord file, from some place on."""


def _records(path: Path) -> Iterator[bytes]:
    from tensorflow.python.framework import errors
    from tensorflow.python.lib.io import _pywrap_record_io

    try:
        yield from _pywrap_record_io.RecordIterator(str(path), "")
    except errors.DataLossError as error:
        raise _Damaged(error.message) from error
    except errors.OpError as error:
        raise Refusal(error.error_code, str(error.message)) from error


def _parsed(record: bytes, path: Path) -> Any:
    try:
        return PredictionLog.FromString(record)
    except DecodeError as error:
        shown = record[:200].decode("utf-8", "replace")
        raise Refusal(INVALID_ARGUMENT, f"Failed to parse warmup record: {shown} from {path}") from error


def _replay(servable: Servable, record: Any, iterations: int) -> None:
    kind = record.WhichOneof("log_type")
    if kind in KINDS:
        raise Refusal(UNIMPLEMENTED, f"Unsupported log_type for warmup: {KINDS[kind]}")
    if kind is None:
        return
    request = getattr(record, kind).request
    for _ in range(iterations):
        RUN[kind](servable, request)


def _predict(servable: Servable, request: Any) -> None:
    # gRPC's reader of tensors, without gRPC.
    from ferryman.model_server import codec

    asked = codec.read(request.SerializeToString())
    servable.run(request.model_spec.signature_name, asked.inputs, asked.output_filter)


def _classify(servable: Servable, request: Any) -> None:
    inference.classify(servable, request.model_spec.signature_name, request.input)


def _regress(servable: Servable, request: Any) -> None:
    inference.regress(servable, request.model_spec.signature_name, request.input)


def _multi_inference(servable: Servable, request: Any) -> None:
    inference.multi_inference(servable, 0, request)


RUN: dict[str, Callable[[Servable, Any], None]] = {
    "predict_log": _predict,
    "classify_log": _classify,
    "regress_log": _regress,
    "multi_inference_log": _multi_inference,
}


def _count(folder: Path, status: str, begun: float, records: int) -> None:
    microseconds = (time.perf_counter() - begun) * 1e6
    metrics.WARMUP_LATENCY.add(str(folder), status, of=microseconds)
    metrics.WARMUP_RECORDS_READ.add(str(folder), status, by=records)
