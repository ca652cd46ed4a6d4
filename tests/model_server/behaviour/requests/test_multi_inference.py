"""MultiInference: several classifications and regressions of one model in one run."""

from __future__ import annotations

from typing import Any

import pytest
from rests_on import rests_on
from serving_client import Client, refusal
from tf_examples import example, infer

INFER = "servables/tensorflow/multi_inference.cc:TensorFlowMultiInferenceRunner::Infer"
ONCE = "servables/tensorflow/util.cc:PerformOneShotTensorComputation"
SPEC = "servables/tensorflow/multi_inference_helper.cc:GetModelSpecFromRequest"


def two() -> tuple[Any, Any]:
    return example(x=1.5), example(x=-0.25)


def task(method: str, signature: str = "", name: str = "m", **spec: Any) -> tuple[str, dict[str, Any]]:
    return method, {"name": name, "signature": signature or method, **spec}


@rests_on(INFER)
def test_every_task_gets_its_result_in_the_order_of_the_tasks(served: Client) -> None:
    response = infer(served, [task("regress", version=1), task("classify", version=1)], *two())
    regressed, classified = response.results
    assert [r.value for r in regressed.regression_result.regressions] == [15.0, -2.5]
    rows = classified.classification_result.classifications
    assert [[(c.label, c.score) for c in row.classes] for row in rows] == [
        [("small", 15.0), ("large", -15.0)],
        [("small", -2.5), ("large", 2.5)],
    ]
    assert [result.model_spec.signature_name for result in response.results] == ["regress", "classify"]


@rests_on(INFER)
def test_signatures_with_different_input_tensors_are_fed_the_same_examples(served: Client) -> None:
    response = infer(served, [task("regress"), task("regress", "regress_lengths")], *two())
    first, second = ([r.value for r in result.regression_result.regressions] for result in response.results)
    assert first == [150.0, -25.0]
    assert second == [float(one.ByteSize()) for one in two()]


@rests_on(INFER, ONCE)
def test_the_model_runs_once_for_all_tasks(served: Client) -> None:
    wanted = [task("regress", name="tally"), task("regress", "again", "tally"), task("classify", name="tally")]
    wanted.append(task("regress", "aside", "tally"))
    counts = []
    for _ in range(2):
        *regressed, aside = (result for result in infer(served, wanted, *two()).results)
        scores = [row.classes[0].score for row in regressed.pop().classification_result.classifications]
        seen = [[r.value for r in result.regression_result.regressions] for result in (*regressed, aside)]
        assert seen == [scores] * 3
        counts.append(scores)
    assert counts[1] == [count + 1 for count in counts[0]] == [counts[1][0]] * 2


@rests_on(INFER, "servables/tensorflow/regressor.cc:PostProcessRegressionResult")
def test_a_result_that_does_not_fit_its_method_refuses_the_whole_request(served: Client) -> None:
    text = "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]"
    wanted = [task("regress"), task("regress", "regress_wide")]
    assert refusal(lambda: infer(served, wanted, *two())) == ("INVALID_ARGUMENT", text)


@rests_on(INFER, SPEC)
def test_the_first_task_decides_the_version_for_all(served: Client) -> None:
    response = infer(served, [task("regress", version=1), task("classify", version=2)], *two())
    assert [result.model_spec.version.value for result in response.results] == [1, 1]
    assert response.results[1].classification_result.classifications[0].classes[0].score == 15.0


@rests_on(SPEC)
def test_without_a_task_there_is_no_model_to_ask(served: Client) -> None:
    assert refusal(lambda: infer(served, [], *two())) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


@rests_on("core/basic_manager.cc:BasicManager::ServingMap::GetUntypedServableHandle")
def test_a_model_that_is_not_there_is_not_found(served: Client) -> None:
    expected = ("NOT_FOUND", "Servable not found for request: Latest(nobody)")
    assert refusal(lambda: infer(served, [task("regress", name="nobody")], *two())) == expected


TASKS = {
    "a task without a name": (
        [task("regress"), task("classify", name="")],
        ("INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
    ),
    "two models": (
        [task("regress"), task("classify", name="tiny")],
        ("INVALID_ARGUMENT", "All ModelSpecs in a MultiInferenceRequest must access the same model name."),
    ),
    "one signature twice": (
        [task("regress", version=1), task("regress", version=2)],
        ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress"),
    ),
    "an unknown signature": (
        [task("regress", "nope")],
        ("INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
    ),
    "another method": (
        [task("predict", "serving_default")],
        ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    ),
    "no method": (
        [task("regress"), task("", "classify")],
        ("UNIMPLEMENTED", "Unsupported signature method_name: "),
    ),
    "a signature that does not fit its method": (
        [task("regress", "classify")],
        ("INVALID_ARGUMENT", "Expected one output Tensor."),
    ),
}


@rests_on(INFER)
@pytest.mark.parametrize("case", TASKS)
def test_tasks_that_cannot_run_together_are_refused(served: Client, case: str) -> None:
    tasks, expected = TASKS[case]
    assert refusal(lambda: infer(served, tasks, *two())) == expected


@rests_on(INFER)
def test_tasks_are_looked_at_before_the_examples(served: Client) -> None:
    assert refusal(lambda: infer(served, [task("regress")])) == ("INVALID_ARGUMENT", "Input is empty.")
    expected = ("INVALID_ARGUMENT", "Requested signature not found in model graph: nope")
    assert refusal(lambda: infer(served, [task("regress", "nope")])) == expected
