"""MultiInference: several signatures over one Input."""

from __future__ import annotations

from typing import Any

import pytest
from answering import SCORES, VALUES, Answering, classes, refused, two

from ferryman.model_server import metrics
from ferryman.model_server.inference import CLASSIFY, REGRESS, multi_inference
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
