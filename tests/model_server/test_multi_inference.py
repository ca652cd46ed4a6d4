"""MultiInference: several signatures over one Input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import saved_models
from answering import SCORES, VALUES, Answering, classes, refused, two

from ferryman.model_server import metrics
from ferryman.model_server.inference import multi_inference
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.model_server.runtime.servable import CLASSIFY, REGRESS, TensorInfo
from ferryman.serving.protocol import MultiInferenceRequest


def tasks(*wanted: tuple[str, str, str]) -> Any:
    request = MultiInferenceRequest(input=two())
    for model, signature, method in wanted:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    return request


def both() -> Answering:
    return Answering({"serving_default": {"scores": SCORES}, "value": {"outputs": VALUES}})


def test_each_task_is_answered_in_its_place_with_the_version_that_answered() -> None:
    before = metrics.counted("/tensorflow/serving/request_example_count_total")
    response = multi_inference(both(), 41, tasks(("m", "value", REGRESS), ("m", "", CLASSIFY)))
    first, second = response.results
    assert [regression.value for regression in first.regression_result.regressions] == [2.5, 0.0]
    assert classes(second.classification_result)[0] == [("", 0.25), ("", 0.75)]
    assert [r.model_spec.signature_name for r in response.results] == ["value", "serving_default"]
    assert {(r.model_spec.name, r.model_spec.version.value) for r in response.results} == {("m", 41)}
    assert metrics.counted("/tensorflow/serving/request_example_count_total") == before + 2


def test_one_run_computes_all_tasks_and_fetches_a_tensor_once_that_several_want() -> None:
    model = Answering(
        {"serving_default": {"scores": SCORES}, "other": {"scores": SCORES}, "value": {"outputs": VALUES}}
    )
    multi_inference(model, 41, tasks(("m", "value", REGRESS), ("m", "", CLASSIFY), ("m", "other", CLASSIFY)))
    ((fed, fetched),) = model.asked
    assert list(fed) == ["examples:0"]
    assert fetched == ("outputs:0", "scores:0")


def test_signatures_with_inputs_of_their_own_get_the_same_examples_in_the_same_run() -> None:
    model = both()
    model.signatures["value"] = replace(model.signatures["value"], inputs={"inputs": TensorInfo("a:0", "string")})
    multi_inference(model, 41, tasks(("m", "", CLASSIFY), ("m", "value", REGRESS)))
    ((fed, _),) = model.asked
    # In the order in which the real server numbers them.
    assert list(fed) == ["a:0", "examples:0"]
    assert fed["a:0"] == fed["examples:0"] == [one.SerializeToString() for one in two().example_list.examples]


def test_a_result_that_does_not_fit_is_refused_after_the_examples_were_counted() -> None:
    before = metrics.counted("/tensorflow/serving/request_example_count_total")
    model = Answering({"serving_default": {"scores": SCORES[:1]}})
    told = refused(multi_inference, model, 41, tasks(("m", "", CLASSIFY)))
    assert told == ("INVALID_ARGUMENT", "Expected scores output batch size of 2. Got: 1")
    assert metrics.counted("/tensorflow/serving/request_example_count_total") == before + 2


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SavedModel]:
    """A model that counts its runs: each signature answers the count of the run in which it was asked."""
    model = SavedModel(saved_models.tally(tmp_path_factory.mktemp("Küche und Bad") / "1"))
    yield model
    model.close()


def test_a_model_with_a_state_is_run_once_for_all_tasks(tally: SavedModel) -> None:
    for run in (1.0, 2.0, 3.0):
        request = tasks(("m", "regress", REGRESS), ("m", "again", REGRESS), ("m", "classify", CLASSIFY))
        first, second, third = multi_inference(tally, 41, request).results
        assert [regression.value for regression in first.regression_result.regressions] == [run, run]
        assert [regression.value for regression in second.regression_result.regressions] == [run, run]
        assert classes(third.classification_result) == [[("", run)], [("", run)]]


def test_without_tasks_it_is_the_runtimes_to_refuse(tally: SavedModel) -> None:
    # LiteRT has nothing against it.
    assert list(multi_inference(both(), 41, tasks()).results) == []
    told = refused(multi_inference, tally, 41, tasks())
    assert told == ("INVALID_ARGUMENT", "Must specify at least one target to fetch or execute.")


@pytest.mark.parametrize(
    ("wanted", "code", "text"),
    [
        ([("", "", CLASSIFY)], "INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        (
            [("m", "", CLASSIFY), ("n", "", CLASSIFY)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("m", "", CLASSIFY), ("m", "serving_default", REGRESS)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: serving_default",
        ),
        ([("m", "no", CLASSIFY)], "INVALID_ARGUMENT", "Requested signature not found in model graph: no"),
        ([("m", "", "predict")], "UNIMPLEMENTED", "Unsupported signature method_name: predict"),
        ([("m", "value", CLASSIFY)], "INVALID_ARGUMENT", "Expected classification signature outputs to contain"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused_before_any_runs(wanted: Any, code: str, text: str) -> None:
    model = both()
    told = refused(multi_inference, model, 41, tasks(*wanted))
    assert told[0] == code
    assert told[1].startswith(text)
    assert model.asked == []
