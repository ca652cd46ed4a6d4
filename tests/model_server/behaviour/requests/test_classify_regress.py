"""Classify and Regress over gRPC, with models that parse tf.Example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rests_on import rests_on
from serving_client import Client, code, refusal
from tf_examples import classify, example, regress

FOLDER = "servables/tensorflow"
CLASS_SERVICE = f"{FOLDER}/classification_service.cc:TensorflowClassificationServiceImpl::Classify"
REGRESS_SERVICE = f"{FOLDER}/regression_service.cc:TensorflowRegressionServiceImpl::Regress"
CLASS_BEFORE = f"{FOLDER}/classifier.cc:PreProcessClassification"
CLASS_AFTER = f"{FOLDER}/classifier.cc:PostProcessClassificationResult"
REGRESS_BEFORE = f"{FOLDER}/regressor.cc:PreProcessRegression"
REGRESS_AFTER = f"{FOLDER}/regressor.cc:PostProcessRegressionResult"
EXAMPLES = f"{FOLDER}/util.cc:InputToSerializedExampleTensor"

Call = Callable[..., Any]
EACH = pytest.mark.parametrize("call", [classify, regress], ids=["classify", "regress"])


def two() -> tuple[Any, Any]:
    return example(x=1.5), example(x=-0.25)


def labelled(response: Any) -> list[list[tuple[str, float]]]:
    return [[(c.label, c.score) for c in row.classes] for row in response.result.classifications]


def values(response: Any) -> list[float]:
    return [regression.value for regression in response.result.regressions]


@rests_on(CLASS_AFTER)
def test_every_example_gets_its_classes_with_labels_and_scores(served: Client) -> None:
    response = classify(served, *two(), name="m", version=1, signature="classify")
    assert labelled(response) == [[("small", 15.0), ("large", -15.0)], [("small", -2.5), ("large", 2.5)]]


@rests_on(CLASS_AFTER)
def test_scores_alone_have_empty_labels_and_classes_alone_have_score_zero(served: Client) -> None:
    scores = classify(served, two()[0], name="m", version=1, signature="classify_scores")
    names = classify(served, example(name=b"pear"), example(), name="m", signature="classify_names")
    assert labelled(scores) == [[("", 15.0), ("", -15.0)]]
    assert labelled(names) == [[("pear", 0.0)], [("", 0.0)]]


@rests_on(REGRESS_AFTER)
@pytest.mark.parametrize("signature", ["regress", "regress_column"])
def test_a_regression_is_a_vector_or_a_single_column(served: Client, signature: str) -> None:
    assert values(regress(served, *two(), name="m", version=1, signature=signature)) == [15.0, -2.5]


@EACH
@rests_on(f"{FOLDER}/classifier.cc:RunClassify", f"{FOLDER}/regressor.cc:RunRegress")
@pytest.mark.parametrize(("spec", "version"), [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)], ids=str)
def test_an_answer_says_the_version_and_the_signature(
    served: Client, call: Call, spec: dict[str, Any], version: int
) -> None:
    signature = "classify" if call is classify else "regress"
    said = call(served, *two(), name="m", signature=signature, **spec).model_spec
    assert (said.name, said.version.value, said.signature_name) == ("m", version, signature)
    assert not said.version_label


@EACH
@rests_on(EXAMPLES)
def test_a_context_is_put_before_every_example_whose_own_features_win(served: Client, call: Call) -> None:
    signature = "classify_scores" if call is classify else "regress"
    own, none = example(x=2.0), example()
    response = call(served, own, none, context=example(x=5.0, whole=1), name="m", version=1, signature=signature)
    found = [row[0][1] for row in labelled(response)] if call is classify else values(response)
    assert found == [21.0, 51.0]


@EACH
@rests_on(CLASS_SERVICE, REGRESS_SERVICE)
def test_without_a_model_spec_it_is_refused(served: Client, call: Call) -> None:
    assert refusal(lambda: call(served, *two())) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@EACH
@rests_on("model_servers/server_core.cc:ServerCore::ServableRequestFromModelSpec")
def test_a_model_or_label_that_is_not_there_is_refused_as_for_predict(served: Client, call: Call) -> None:
    missing = ("NOT_FOUND", "Servable not found for request: Latest(nobody)")
    assert refusal(lambda: call(served, *two(), name="nobody")) == missing
    unknown = ("INVALID_ARGUMENT", "Unrecognized servable version label: old")
    assert refusal(lambda: call(served, *two(), name="m", label="old")) == unknown


@EACH
@rests_on(f"{FOLDER}/classifier.cc:GetClassificationSignatureDef", f"{FOLDER}/regressor.cc:GetRegressionSignatureDef")
def test_an_unknown_signature_is_an_invalid_argument_unlike_for_predict(served: Client, call: Call) -> None:
    expected = ("INVALID_ARGUMENT", "No signature was found with the name: nope")
    assert refusal(lambda: call(served, *two(), name="m", signature="nope")) == expected


@EACH
@rests_on(CLASS_BEFORE, REGRESS_BEFORE)
def test_the_default_signature_is_serving_default_which_must_take_inputs(served: Client, call: Call) -> None:
    seen, text = refusal(lambda: call(served, *two(), name="m"))
    kind = "classification" if call is classify else "regression"
    assert seen == "INVALID_ARGUMENT"
    assert text.startswith(f"No {kind} inputs found in SignatureDef: ")


@EACH
@rests_on(EXAMPLES)
@pytest.mark.parametrize("with_context", [False, True], ids=["plain", "with context"])
def test_no_example_at_all_is_refused(served: Client, call: Call, with_context: bool) -> None:
    signature = "classify" if call is classify else "regress"
    context = example(x=1.0) if with_context else None
    expected = ("INVALID_ARGUMENT", "Input is empty.")
    assert refusal(lambda: call(served, context=context, name="m", signature=signature)) == expected


@rests_on(EXAMPLES)
def test_an_input_that_is_not_set_is_refused(served: Client) -> None:
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    request = RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "regress"
    expected = ("INVALID_ARGUMENT", "Input is empty.")
    assert refusal(lambda: served.prediction.Regress(request, timeout=20)) == expected


CLASS_MISFITS = [
    ("classify_two_inputs", "Expected one input Tensor."),
    ("classify_three_outputs", "Expected one or two output Tensors, found 3"),
    ("classify_wrong_input", "No classification inputs found in SignatureDef: *"),
    (
        "classify_wrong_output",
        'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: *',
    ),
    ("classify_flat_scores", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
    ("classify_flat_classes", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
    ("classify_double", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
    ("classify_numbers", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
    ("classify_uneven", "Tensors class and score should match in dim_size(1). Got 1 vs. 2"),
    ("classify_one", "Expected scores output batch size of 2. Got: 1"),
]

REGRESS_MISFITS = [
    ("regress_two_inputs", "Expected one input Tensor."),
    ("regress_two_outputs", "Expected one output Tensor."),
    ("regress_wrong_input", "No regression inputs found in SignatureDef: *"),
    ("regress_wrong_output", "No regression outputs found in SignatureDef: *"),
    (
        "regress_wide",
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
    ),
    ("regress_one", "Input batch size did not match output batch size: 2 vs. 1"),
    ("regress_double", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
]


def is_refused(call: Call, served: Client, signature: str, text: str) -> None:
    """Two examples to `signature` are an INVALID_ARGUMENT with this text; `*` stands for the signature, printed."""
    seen, said = refusal(lambda: call(served, *two(), name="m", signature=signature))
    assert seen == "INVALID_ARGUMENT"
    assert said.startswith(text[:-1]) if text.endswith("*") else said == text


@rests_on(CLASS_BEFORE, CLASS_AFTER)
@pytest.mark.parametrize(("signature", "text"), CLASS_MISFITS, ids=[name for name, _ in CLASS_MISFITS])
def test_a_signature_that_does_not_classify_is_refused(served: Client, signature: str, text: str) -> None:
    is_refused(classify, served, signature, text)


@rests_on(REGRESS_BEFORE, REGRESS_AFTER)
@pytest.mark.parametrize(("signature", "text"), REGRESS_MISFITS, ids=[name for name, _ in REGRESS_MISFITS])
def test_a_signature_that_does_not_regress_is_refused(served: Client, signature: str, text: str) -> None:
    is_refused(regress, served, signature, text)


@rests_on(REGRESS_BEFORE, f"{FOLDER}/util.cc:GetSignatureMethodNameCheckFeature")
def test_the_method_name_of_a_signature_does_not_matter(served: Client) -> None:
    assert values(regress(served, *two(), name="m", version=1, signature="unlikely_method")) == [15.0, -2.5]


@EACH
@rests_on(f"{FOLDER}/util.cc:PerformOneShotTensorComputation")
def test_a_feature_of_another_type_is_the_models_invalid_argument(served: Client, call: Call) -> None:
    signature = "classify" if call is classify else "regress"
    assert code(lambda: call(served, example(x=b"text"), name="m", signature=signature)) == "INVALID_ARGUMENT"
