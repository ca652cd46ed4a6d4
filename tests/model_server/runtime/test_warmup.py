"""Warm-up records are replayed before a version serves; what is wrong with them fails the load."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.model_server import metrics
from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, Refusal
from ferryman.model_server.loading import LoadOptions, loader
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.serving.protocol import PredictionLog
from ferryman.serving.tensors import to_proto


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "module", tmp_path / "1"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, np.ndarray]]]:
    """What the version was asked."""
    seen: list[tuple[str, dict[str, np.ndarray]]] = []
    run = SavedModel.run

    def noted(self: SavedModel, name: str, inputs: Any, output_filter: Any = ()) -> Any:
        seen.append((name, dict(inputs)))
        return run(self, name, inputs, output_filter)

    monkeypatch.setattr(SavedModel, "run", noted)
    return seen


def write(folder: Path, *records: bytes) -> Path:
    import tensorflow as tf

    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def predict(signature: str = "", **inputs: Any) -> bytes:
    log = PredictionLog()
    request = log.predict_log.request
    # Another model and version than the one that is loaded: nobody looks.
    request.model_spec.name, request.model_spec.version.value = "another", 99
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(to_proto(np.asarray(value)))
    return bytes(log.SerializeToString())


X = np.ones((2, 2), np.float32)


def refused(folder: Path, **options: Any) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        loader(LoadOptions(**options))(folder)
    return caught.value.code, caught.value.text


def test_each_record_is_run_in_order_and_counted(folder: Path, calls: list[Any]) -> None:
    write(folder, predict(x=X), predict("words", word=["yes"]))
    loader(LoadOptions())(folder)
    assert [name for name, _ in calls] == ["", "words"]
    np.testing.assert_array_equal(calls[0][1]["x"], X)
    assert metrics.WARMUP_RECORDS_READ.cells()[str(folder), "OK"] == 2
    assert metrics.WARMUP_LATENCY.cells()[str(folder), "OK"][-1] > 0


def test_records_are_repeated_and_can_be_left_out(folder: Path, calls: list[Any]) -> None:
    write(folder, predict(x=X))
    loader(LoadOptions(num_request_iterations_for_warmup=3))(folder)
    assert len(calls) == 3
    loader(LoadOptions(enable_model_warmup=False))(folder)
    assert len(calls) == 3


def test_a_version_without_records_is_not_asked(folder: Path, calls: list[Any]) -> None:
    loader(LoadOptions())(folder)
    assert calls == []


def test_an_error_of_a_request_is_the_loads(folder: Path) -> None:
    write(folder, predict(x=X), predict("nope", x=X))
    assert refused(folder) == (FAILED_PRECONDITION, 'Serving signature key "nope" not found.')
    write(folder, predict(x=X.astype(np.int64)))
    assert refused(folder) == (INVALID_ARGUMENT, "Expects arg[0] to be float but int64 is provided")


def test_missing_variables_are_found_by_a_warm_up(folder: Path) -> None:
    shutil.rmtree(folder / "variables")
    loader(LoadOptions())(folder)
    write(folder, predict(x=X))
    assert refused(folder)[0] == FAILED_PRECONDITION


@pytest.mark.parametrize(("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_kinds_that_the_real_server_does_not_replay_are_unimplemented(folder: Path, kind: str, number: int) -> None:
    log = PredictionLog()
    getattr(log, kind).SetInParent()
    write(folder, log.SerializeToString())
    assert refused(folder) == (12, f"Unsupported log_type for warmup: {number}")


def test_a_record_of_no_kind_is_passed_over(folder: Path, calls: list[Any]) -> None:
    write(folder, b"", predict(x=X))
    loader(LoadOptions())(folder)
    assert len(calls) == 1


def test_a_thousand_records_are_run_and_one_more_is_refused(folder: Path) -> None:
    path = write(folder, *[b""] * 1000)
    loader(LoadOptions())(folder)
    write(folder, *[b""] * 1001)
    text = f"Number of warmup records exceeds the maximum (1000) at {path}"
    assert refused(folder) == (INVALID_ARGUMENT, text)


def test_classify_and_regress_records_reach_their_signatures(folder: Path) -> None:
    for kind in ("classify_log", "regress_log"):
        log = PredictionLog()
        getattr(log, kind).request.input.example_list.examples.add()
        getattr(log, kind).request.model_spec.signature_name = "nope"
        write(folder, log.SerializeToString())
        assert refused(folder) == (INVALID_ARGUMENT, "No signature was found with the name: nope")


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda content: b"not a TFRecord file at all", "corrupted record at 0 (Is this even a TFRecord file?)"),
        (lambda content: content[:-3], "truncated record at "),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "corrupted record at "),
    ],
    ids=["other", "cut", "flipped"],
)
def test_damaged_files_are_data_loss(folder: Path, damage: Damage, text: str) -> None:
    path = write(folder, predict(x=X), predict(x=X))
    path.write_bytes(damage(path.read_bytes()))
    code, received = refused(folder)
    assert code == 15
    assert received.startswith(text)
    assert received.endswith(". Please verify your warmup data is in TFRecord format.")


def test_a_record_that_is_no_prediction_log_is_named(folder: Path) -> None:
    path = write(folder, b"\xff\xff\xff")
    code, text = refused(folder)
    assert code == INVALID_ARGUMENT
    assert text.startswith("Failed to parse warmup record: ")
    assert text.endswith(f" from {path}")
