"""Warm-up requests beside a SavedModel: they run before a version serves, and one that fails fails the load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import saved_models
import warm_up
from rests_on import rests_on
from serving_client import Client, Model, refusal, reload_request
from serving_target import Started
from warm_up import example_log, predict_log

Start = Callable[..., Started]

WARM_UP = "servables/tensorflow/saved_model_warmup_util.cc:RunSavedModelWarmupUntracked"
REQUEST = "servables/tensorflow/saved_model_warmup.cc:RunWarmupRequest"


def one() -> Any:
    return predict_log({"delta": 1.0}, name="w")


@pytest.fixture
def load(server: Client, m: Model, scratch: Path) -> Callable[..., tuple[int, int, str]]:
    """Loads a line or counter with these warm-up records; its state, code and text in the status."""

    def load(records: list[Any], build: Callable[..., Path] = saved_models.counter) -> tuple[int, int, str]:
        version = scratch / "1"
        build(version, 0.5, 2.0) if build is saved_models.line else build(version)
        warm_up.write(version, records)
        return status(server, m, scratch)

    return load


def status(server: Client, m: Model, base: Path) -> tuple[int, int, str]:
    model = Model(base.name, base, (1,))
    call = server.model.HandleReloadConfigRequest.future(reload_request(m, model), timeout=20)
    call.exception()
    (entry,) = server.status(name=base.name).model_version_status
    return entry.state, entry.status.error_code, entry.status.error_message


def count(client: Client, name: str) -> float:
    return float(client.predict({}, name=name, signature="get").outputs["output"].float_val[0])


@rests_on(WARM_UP, REQUEST)
def test_every_record_runs_once_before_the_version_serves(
    server: Client, load: Callable[..., Any], scratch: Path
) -> None:
    assert load([one()] * 3)[0] == 30
    assert count(server, scratch.name) == 3


@rests_on(REQUEST)
def test_name_version_and_label_in_a_record_are_not_looked_at(
    server: Client, load: Callable[..., Any], scratch: Path
) -> None:
    records = [
        predict_log({"delta": 1.0}, name="someone-else", version=99),
        predict_log({"delta": 1.0}, name="m", label="x"),
    ]
    assert load(records)[0] == 30
    assert count(server, scratch.name) == 2


@rests_on(REQUEST, "servables/tensorflow/predict_util.cc:VerifyRequestInputsSize")
def test_a_record_that_fails_fails_the_load_with_its_error(load: Callable[..., Any]) -> None:
    assert load([one(), predict_log({"delta": 1.0, "more": 2.0})]) == (
        50,
        3,
        "input size does not match signature: 2!=1 len({delta,more}) != len({delta}). Sent extra: {more}. "
        "Missing but required: {}.",
    )


@rests_on(REQUEST)
def test_a_record_of_a_signature_that_is_not_there_fails_the_load(load: Callable[..., Any]) -> None:
    assert load([predict_log({"delta": 1.0}, signature="none")]) == (
        50,
        9,
        'Serving signature key "none" not found.',
    )


@rests_on(REQUEST, "servables/tensorflow/classifier.cc:RunClassify", "servables/tensorflow/regressor.cc:RunRegress")
@pytest.mark.parametrize(("kind", "signature"), [("classify", "classify"), ("regress", "regress")])
def test_classify_and_regress_records_run_and_may_fail(load: Callable[..., Any], kind: str, signature: str) -> None:
    good, bad = example_log(kind, [1.0, 2.0], signature=signature), example_log(kind, [1.0], signature="none")
    assert load([good, bad], saved_models.line) == (50, 3, "No signature was found with the name: none")


@rests_on(REQUEST, "servables/tensorflow/classifier.cc:RunClassify")
def test_a_classify_record_that_fits_lets_the_version_serve(load: Callable[..., Any]) -> None:
    assert load([example_log("classify", [1.0], signature="classify")], saved_models.line) == (30, 0, "")


@rests_on(REQUEST, "servables/tensorflow/multi_inference.cc:RunMultiInference")
@pytest.mark.parametrize(("signature", "state"), [("regress", 30), ("none", 50)])
def test_multi_inference_records_run(load: Callable[..., Any], signature: str, state: int) -> None:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.multi_inference_log.request
    for name in ("classify", signature):
        task = request.tasks.add(method_name=f"tensorflow/serving/{'classify' if name == 'classify' else 'regress'}")
        task.model_spec.name, task.model_spec.signature_name = "m", name
    warm_up.add_examples(request.input, [1.0])
    assert load([log], saved_models.line)[0] == state


@rests_on(REQUEST)
@pytest.mark.parametrize(("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_records_of_other_kinds_are_not_implemented(load: Callable[..., Any], kind: str, number: int) -> None:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    # The stock package may be older than the message.
    data = (
        getattr(log, kind).SetInParent() or log.SerializeToString()
        if hasattr(log, kind)
        else bytes([number << 3 | 2, 0])
    )
    assert load([data]) == (50, 12, f"Unsupported log_type for warmup: {number}")


@rests_on(REQUEST)
def test_a_record_of_no_kind_does_nothing(load: Callable[..., Any]) -> None:
    assert load([b""]) == (30, 0, "")


@rests_on(WARM_UP)
def test_a_thousand_records_are_allowed_and_one_more_is_not(
    server: Client, m: Model, load: Callable[..., Any], scratch: Path
) -> None:
    assert load([one()] * 1000) == (30, 0, "")
    assert count(server, scratch.name) == 1000
    saved_models.counter(scratch / "more" / "1")
    file = warm_up.write(scratch / "more" / "1", [one()] * 1001)
    (scratch / "more").rename(scratch.parent / f"{scratch.name}-more")
    moved = scratch.parent / f"{scratch.name}-more"
    path = moved / file.relative_to(scratch / "more")
    assert status(server, m, moved) == (50, 3, f"Number of warmup records exceeds the maximum (1000) at {path}")


@rests_on(WARM_UP)
def test_bytes_that_are_no_tfrecord_are_data_loss(server: Client, m: Model, scratch: Path) -> None:
    file = warm_up.write(saved_models.counter(scratch / "1"), [])
    file.write_bytes(b"this is no TFRecord file at all")
    state, code, text = status(server, m, scratch)
    assert (state, code) == (50, 15)
    assert text.endswith(". Please verify your warmup data is in TFRecord format.")


@rests_on(WARM_UP)
def test_a_record_that_is_no_log_is_an_invalid_argument(load: Callable[..., Any], scratch: Path) -> None:
    path = scratch / "1" / "assets.extra" / "tf_serving_warmup_requests"
    assert load([b"xyz"]) == (50, 3, f"Failed to parse warmup record: xyz from {path}")


@rests_on(WARM_UP)
def test_an_empty_file_warms_nothing_up_and_does_no_harm(server: Client, m: Model, scratch: Path) -> None:
    warm_up.write(saved_models.counter(scratch / "1"), [])
    assert status(server, m, scratch) == (30, 0, "")


@rests_on(WARM_UP, "model_servers/server.cc:Server::BuildAndStart")
def test_records_run_as_often_as_the_flag_says_and_not_at_all_when_warm_up_is_off(start: Start, tmp_path: Path) -> None:
    base = tmp_path / "c"
    warm_up.write(saved_models.counter(base / "1"), [one(), one()])
    thrice = start(f"--model_base_path={base}", "--num_request_iterations_for_warmup=3")
    off = start(f"--model_base_path={base}", "--enable_model_warmup=false")
    assert count(thrice.client(), "default") == 6
    assert count(off.client(), "default") == 0


@rests_on(WARM_UP, "util/retrier.cc:Retry")
def test_a_failing_record_is_tried_again_with_the_load(start: Start, tmp_path: Path) -> None:
    base = tmp_path / "c"
    warm_up.write(saved_models.counter(base / "1"), [predict_log({"delta": 1.0, "more": 2.0})])
    flags = "--max_num_load_retries=2", "--load_retry_interval_micros=100000"
    started = start(f"--model_base_path={base}", *flags)
    assert started.ended() == 255
    assert refused(started.out)
    assert started.err.count("Sent extra: {more}") >= 3


def refused(out: str) -> bool:
    return "UNKNOWN: 1 servable(s) did not become available: {{{name: default version: 1} due to error: INVALID_" in out


@rests_on(REQUEST, WARM_UP)
def test_a_new_version_whose_warm_up_fails_leaves_the_old_one_serving(server: Client, m: Model, scratch: Path) -> None:
    saved_models.counter(scratch / "1")
    server.reload(m, Model(scratch.name, scratch, (1,)))
    warm_up.write(saved_models.counter(scratch / "2"), [predict_log({"delta": 1.0, "more": 2.0})])
    server.reload(m, Model(scratch.name, scratch, (1, 2)))
    server.await_states(scratch.name, {1: "AVAILABLE", 2: "END"})
    assert server.resolved(scratch.name) == 1
    assert refusal(lambda: server.predict({}, name=scratch.name, version=2, signature="get"))[0] == "NOT_FOUND"
