"""Micro-batching: what runs together, what is padded, and which parameters fail a load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import saved_models
from rests_on import rests_on
from serving_client import Client, Model, as_text, code, refusal
from serving_target import FLAGS as SHARED
from serving_target import Started, Target
from tf_examples import example, infer, regress

Start = Callable[..., Started]

SESSION = "batching/batching_session.cc"
SIZE = f"{SESSION}:BatchingSession::ComputeInputSize"
MERGE = f"{SESSION}:BatchingSession::MergeInputTensors"
SPLIT = f"{SESSION}:BatchingSession::SplitOutputTensors"
RUN = f"{SESSION}:BatchingSession::InternalRun"
SIGNATURE = f"{SESSION}:TensorSignatureFromRunArgs"
WRAP = "servables/tensorflow/bundle_factory_util.cc:WrapSessionForBatching"
PER_MODEL = "servables/tensorflow/bundle_factory_util.cc:GetPerModelBatchingParams"

WAIT = 1.5
"""Seconds that a batch waits to be full: requests that are sent at once meet, however slow the machine."""

PARAMETERS = f"""
max_batch_size {{ value: 4 }}
batch_timeout_micros {{ value: {WAIT * 1e6:.0f} }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: 4 }}
allowed_batch_sizes: 2
allowed_batch_sizes: 4
"""


@pytest.fixture(scope="module")
def batching(aim: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A server that batches the models `p` and `t`, and its folder."""
    folder = tmp_path_factory.mktemp("batching")
    saved_models.peers(folder / "p" / "1")
    saved_models.tally(folder / "t" / "1")
    (folder / "batching").write_text(PARAMETERS)
    (folder / "models.config").write_text(as_text(*(Model(name, folder / name, (1,)) for name in "pt")))
    started = aim.start(
        folder,
        f"--model_config_file={folder / 'models.config'}",
        "--enable_batching=true",
        f"--batching_parameters_file={folder / 'batching'}",
        *SHARED,
    )
    try:
        yield started.client(), folder
    finally:
        started.stop()


@pytest.fixture
def client(batching: tuple[Client, Path]) -> Client:
    return batching[0]


def together(client: Client, *rows: list[float]) -> list[tuple[list[int], list[float]]]:
    """What requests that are sent at once are answered: the sizes of their batches, and their own rows."""
    calls = [client.start_predict({"x": values}, name="p") for values in rows]
    answers = [call.result().outputs for call in calls]
    return [(list(answer["rows"].int_val), list(answer["y"].float_val)) for answer in answers]


@rests_on(RUN, MERGE, SPLIT)
def test_requests_that_come_together_run_together_and_get_their_own_rows(client: Client) -> None:
    began = time.monotonic()
    assert together(client, [1.0], [2.0, 3.0], [4.0]) == [([4], [1.0]), ([4, 4], [2.0, 3.0]), ([4], [4.0])]
    # A full batch does not wait.
    assert time.monotonic() - began < WAIT


@rests_on(MERGE, "batching/batching_util.cc:AddPadding", f"{SESSION}:BatchingSession::ProcessBatch")
def test_a_batch_is_filled_up_to_the_next_allowed_size_and_the_filling_is_not_answered(client: Client) -> None:
    assert together(client, [7.0]) == [([2], [7.0])]
    assert together(client, [1.0, 2.0, 3.0]) == [([4, 4, 4], [1.0, 2.0, 3.0])]


@rests_on(SIZE, "batching/batching_util.h:ComputeTensorBatchSize")
def test_an_input_without_a_dimension_cannot_be_batched(client: Client) -> None:
    assert refusal(lambda: client.predict({"x": 1.0}, name="p")) == (
        "INVALID_ARGUMENT",
        "Batching Run() input tensors must have at least one dimension",
    )


@rests_on(SIZE, "batching/batching_util.h:ComputeTensorBatchSize")
def test_inputs_of_unequal_length_cannot_be_batched(client: Client) -> None:
    assert refusal(lambda: client.predict({"x": [1.0], "z": [1.0, 2.0]}, name="p", signature="two")) == (
        "INVALID_ARGUMENT",
        "Batching Run() input tensors must have equal 0th-dimension size",
    )


@rests_on(RUN)
def test_a_request_larger_than_a_batch_is_refused_and_the_next_is_answered(client: Client) -> None:
    assert code(lambda: client.predict({"x": [1.0] * 5}, name="p")) == "INVALID_ARGUMENT"
    assert together(client, [1.0, 2.0, 3.0, 4.0]) == [([4] * 4, [1.0, 2.0, 3.0, 4.0])]


@rests_on(RUN, "model_servers/http_rest_api_handler.cc:HttpRestApiHandler::ProcessPredictRequest")
def test_requests_over_rest_are_batched_as_well(client: Client) -> None:
    answered = client.http("POST", "/v1/models/p:predict", {"instances": [5.0]})
    assert answered.body == {"predictions": [{"rows": 2, "y": 5.0}]}


def at_once(*calls: Callable[[], list[float]]) -> list[list[float]]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


@rests_on(RUN, SIGNATURE)
def test_signatures_of_the_same_tensors_run_together_and_others_do_not(client: Client) -> None:
    def count(signature: str) -> list[float]:
        answered = regress(client, *[example(x=1.0)] * 2, name="t", signature=signature)
        return [regression.value for regression in answered.result.regressions]

    same, again = at_once(lambda: count("regress"), lambda: count("again"))
    assert same == again
    same, aside = at_once(lambda: count("regress"), lambda: count("aside"))
    assert same != aside


@rests_on(RUN, SIGNATURE, "servables/tensorflow/multi_inference.cc:TensorFlowMultiInferenceRunner::Infer")
def test_multi_inferences_of_the_same_tasks_run_together(client: Client) -> None:
    def counts() -> list[float]:
        wanted = [("regress", {"name": "t", "signature": name}) for name in ("regress", "aside")]
        answered = infer(client, wanted, *[example(x=1.0)] * 2)
        return [r.value for result in answered.results for r in result.regression_result.regressions]

    first, second = at_once(counts, counts)
    assert first == second == [first[0]] * 4


@rests_on(
    WRAP, "servables/tensorflow/saved_model_bundle_factory.cc:SavedModelBundleFactory::InternalCreateSavedModelBundle"
)
def test_allowed_sizes_that_do_not_end_at_the_largest_batch_fail_the_load(start: Start, tmp_path: Path) -> None:
    saved_models.peers(tmp_path / "p" / "1")
    (tmp_path / "batching").write_text("max_batch_size { value: 8 } allowed_batch_sizes: 2 allowed_batch_sizes: 4")
    started = start(
        f"--model_base_path={tmp_path / 'p'}",
        "--enable_batching",
        f"--batching_parameters_file={tmp_path / 'batching'}",
        "--max_num_load_retries=0",
    )
    assert started.ended() == 255
    assert "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8" in started.out


@rests_on(PER_MODEL, "servables/tensorflow/bundle_factory_util.cc:BatchingParamsFound")
def test_with_parameters_per_model_only_those_that_have_them_are_batched(start: Start, tmp_path: Path) -> None:
    for name in ("with", "without"):
        saved_models.peers(tmp_path / name / "1")
    (tmp_path / "with" / "1" / "batching_params.pbtxt").write_text(
        "max_batch_size { value: 2 } batch_timeout_micros { value: 1000 } allowed_batch_sizes: 2"
    )
    (tmp_path / "batching").write_text(PARAMETERS)
    startup = tmp_path / "models.config"
    startup.write_text(as_text(Model("with", tmp_path / "with", (1,)), Model("without", tmp_path / "without", (1,))))
    client = start(
        f"--model_config_file={startup}",
        "--enable_batching",
        "--enable_per_model_batching_parameters",
        f"--batching_parameters_file={tmp_path / 'batching'}",
    ).client()
    assert client.predict({"x": [1.0]}, name="with").outputs["rows"].int_val[:] == [2]
    assert client.predict({"x": [1.0]}, name="without").outputs["rows"].int_val[:] == [1]
