"""A server process asked by TensorFlow Serving's own gRPC client and by plain HTTP."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from newcomer import eventually

ROWS = np.array([[1, 2], [3, 4.5]], np.float32)
FIRST, SECOND = [30.0, 75.0], [300.0, 750.0]
"""What versions 1 and 2 answer to the rows."""


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and text of the error that a call gets."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def totals(response: Any) -> list[float]:
    return list(response.outputs["total"].float_val)


# Predict: which version


@pytest.mark.parametrize(
    ("spec", "answer", "version"),
    [
        ({"version": 1}, FIRST, 1),
        ({"version": 2}, SECOND, 2),
        ({"label": "stable"}, FIRST, 1),
        ({"label": "canary"}, SECOND, 2),
        ({}, SECOND, 2),
    ],
    ids=str,
)
def test_a_prediction_comes_from_the_version_that_was_asked_for_and_says_which(
    server: Any, spec: dict[str, Any], answer: list[float], version: int
) -> None:
    response = server.predict({"x": ROWS}, **spec)
    assert totals(response) == answer
    assert response.model_spec.name == "m"
    assert response.model_spec.version.value == version
    assert response.model_spec.version_label == ""
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        ({"name": None}, "INVALID_ARGUMENT", "Missing ModelSpec"),
        ({"name": "", "version": 1}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"name": "none"}, "NOT_FOUND", "Servable not found for request: Latest(none)"),
        ({"version": 9}, "NOT_FOUND", "Servable not found for request: Specific(m, 9)"),
        ({"label": "blue"}, "INVALID_ARGUMENT", "Unrecognized servable version label: blue"),
    ],
    ids=str,
)
def test_a_prediction_of_an_unknown_model_version_or_label_is_refused(
    server: Any, spec: dict[str, Any], code: str, text: str
) -> None:
    from tensorflow_serving.apis import predict_pb2

    if spec.get("name", "m") is None:
        assert refused(lambda: server.prediction.Predict(predict_pb2.PredictRequest(), timeout=20)) == (code, text)
    else:
        assert refused(lambda: server.predict({"x": ROWS}, **spec)) == (code, text)


# Predict: inputs and outputs


def test_text_and_numbers_come_back_as_lists_of_values(server: Any) -> None:
    response = server.predict({"x": ROWS}, label="stable")
    assert list(response.outputs["word"].string_val) == [b"first-30", b"first-75"]
    assert [size.size for size in response.outputs["word"].tensor_shape.dim] == [2]
    assert [output.tensor_content for output in response.outputs.values()] == [b"", b""]


def test_whole_numbers_come_back_in_the_fields_of_their_types(server: Any) -> None:
    gap = server.predict({"start": np.array([5], np.int32), "to": np.array([-2], np.int64)}, signature="between")
    assert list(gap.outputs["gap"].int64_val) == [-7]
    echo = server.predict({"raw": [b"abc", b""]}, signature="echo")
    assert list(echo.outputs["length"].int_val) == [3, 0]


def test_an_output_filter_leaves_the_other_outputs_out(server: Any) -> None:
    response = server.predict({"x": ROWS}, outputs=("word",))
    assert list(response.outputs) == ["word"]
    assert response.outputs["word"].string_val[1] == b"second-750"


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (
            ("total", "none"),
            "output tensor alias not found in signature: none Outputs expected to be in the set {total,word}.",
        ),
        (("total", "total"), "duplicate output tensor alias: total"),
    ],
    ids=["unknown", "twice"],
)
def test_a_bad_output_filter_is_an_invalid_argument(server: Any, outputs: tuple[str, ...], text: str) -> None:
    assert refused(lambda: server.predict({"x": ROWS}, outputs=outputs)) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (
            {},
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"x": ROWS, "y": ROWS},
            "input size does not match signature: 2!=1 len({x,y}) != len({x}). Sent extra: {y}. "
            "Missing but required: {}.",
        ),
        (
            {"y": ROWS},
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
            "Inputs expected to be in the request {y}, or default input alias set: ",
        ),
    ],
    ids=["missing", "extra", "other"],
)
def test_missing_and_extra_inputs_are_invalid_arguments(server: Any, inputs: dict[str, Any], text: str) -> None:
    assert refused(lambda: server.predict(inputs)) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (np.array([[1, 2]], np.int64), "int64"),
        (np.array([[1, 2]], np.float64), "double"),
        (np.array([[b"1", b"2"]], object), "string"),
    ],
    ids=["int64", "double", "string"],
)
def test_a_wrong_dtype_is_refused_and_never_converted(server: Any, value: Any, received: str) -> None:
    code, text = refused(lambda: server.predict({"x": value}))
    assert code == "INVALID_ARGUMENT"
    assert text == f"Expects arg[0] to be float but {received} is provided"


def test_a_shape_is_judged_by_the_graph_and_not_by_the_signature(server: Any) -> None:
    three = server.predict({"x": np.array([[1, 2, 4]], np.float32)}, version=1)
    assert totals(three) == [70.0]
    code, text = refused(lambda: server.predict({"x": np.array([1, 2], np.float32)}))
    assert code == "INVALID_ARGUMENT"
    assert "reduction" in text.lower()


def test_no_rows_are_answered_with_no_rows(server: Any) -> None:
    response = server.predict({"x": np.zeros((0, 2), np.float32)})
    assert [size.size for size in response.outputs["total"].tensor_shape.dim] == [0]


def test_an_unknown_signature_is_a_failed_precondition(server: Any) -> None:
    answer = refused(lambda: server.predict({"x": ROWS}, signature="none"))
    assert answer == ("FAILED_PRECONDITION", 'Serving signature key "none" not found.')


def test_an_error_text_is_cut_at_1024_characters(server: Any) -> None:
    code, text = refused(lambda: server.predict({"x": ROWS}, name="n" * 3000))
    assert code == "NOT_FOUND"
    assert len(text) == 1024 + len("...TRUNCATED")


# Status and metadata


def test_the_status_lists_every_version_and_ignores_the_label(server: Any) -> None:
    assert server.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    labelled = server.status(label="blue").model_version_status
    assert sorted(entry.version for entry in labelled) == [1, 2]
    alone = server.status(version=1).model_version_status
    assert [(entry.version, entry.status.error_code) for entry in alone] == [(1, 0)]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"name": "none"}, "Could not find any versions of model none"),
        ({"version": 9}, "Could not find version 9 of model m"),
    ],
    ids=str,
)
def test_the_status_of_what_was_never_seen_is_not_found(server: Any, spec: dict[str, Any], text: str) -> None:
    assert refused(lambda: server.status(**spec)) == ("NOT_FOUND", text)


def test_the_metadata_hold_the_signatures_of_the_version_that_a_label_names(server: Any) -> None:
    from tensorflow_serving.apis import get_model_metadata_pb2

    response = server.metadata("signature_def", label="stable")
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 1)
    assert {"serving_default", "only", "echo", "between"} <= set(found.signature_def)
    assert [size.size for size in found.signature_def["between"].inputs["to"].tensor_shape.dim] == [-1]
    assert found.signature_def["between"].inputs["to"].dtype == 9


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ((), "GetModelMetadataRequest must specify at least one metadata_field"),
        (("signature_def", "assets"), "Metadata field assets is not supported"),
    ],
    ids=["none", "other"],
)
def test_only_the_metadata_field_signature_def_exists(server: Any, fields: tuple[str, ...], text: str) -> None:
    assert refused(lambda: server.metadata(*fields)) == ("INVALID_ARGUMENT", text)


# Reload


def test_a_label_on_a_version_that_is_not_available_is_refused_and_nothing_changes(server: Any) -> None:
    answer = refused(lambda: server.reload(server.config(stable=9, canary=1)))
    assert answer == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 9 of model m, which is not currently available for inference",
    )
    assert (server.resolved("stable"), server.resolved("canary")) == (1, 2)


def test_labels_move_together_and_those_left_out_vanish(server: Any) -> None:
    server.reload(server.config(stable=2, next=1))
    assert (server.resolved("stable"), server.resolved("next")) == (2, 1)
    assert refused(lambda: server.resolved("canary"))[0] == "INVALID_ARGUMENT"


def test_a_new_label_may_wait_for_its_version_because_the_flag_is_set(server: Any) -> None:
    server.reload(server.config(stable=1, soon=9))
    answer = refused(lambda: server.resolved("soon"))
    assert answer == ("NOT_FOUND", "Servable not found for request: Specific(m, 9)")


def test_the_same_reload_twice_changes_nothing(server: Any) -> None:
    config = server.config(stable=2)
    assert server.reload(config).status.error_code == 0
    assert server.reload(config).status.error_code == 0
    assert server.resolved("stable") == 2
    assert server.states() == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_reload_with_a_new_name_answers_when_it_is_loaded(server: Any) -> None:
    server.reload(server.config(), server.config("late", 7))
    assert server.states("late") == {7: "AVAILABLE"}
    assert totals(server.predict({"x": ROWS}, name="late")) == FIRST


def test_a_reload_that_leaves_a_model_out_unloads_it_and_its_versions_stay_listed(server: Any) -> None:
    shutil.copytree(server.models / "late", server.models / "gone")
    server.reload(server.config(), server.config("gone", 7))
    assert totals(server.predict({"x": ROWS}, name="gone")) == FIRST
    server.reload(server.config())
    eventually(lambda: server.states("gone") == {7: "END"}, 15)
    assert refused(lambda: server.predict({"x": ROWS}, name="gone"))[0] == "NOT_FOUND"
    assert server.http("GET", "/v1/models/gone").status == 200
    assert totals(server.predict({"x": ROWS})) == SECOND


@pytest.mark.parametrize(
    ("name", "version", "code", "word"),
    [
        (
            "empty",
            4,
            5,
            "Specified file path does not appear to contain a SavedModel bundle (should have a file called `saved_model.pb`)",
        ),
        ("garbage", 5, None, "garbage/5"),
    ],
)
def test_a_reload_with_a_broken_new_model_fails_once_and_leaves_the_rest_applied(
    server: Any, name: str, version: int, code: int | None, word: str
) -> None:
    configs = [server.config(stable=2), server.config(name, version)]
    kind, text = refused(lambda: server.reload(*configs))
    assert kind == "UNKNOWN"
    assert text.startswith(
        f"1 model(s) did not become available: {{{{{{name: {name} version: {version}}} due to error: "
    )
    assert word in text
    assert server.states(name) == {version: "END"}
    listed = server.status(name=name).model_version_status[0].status
    assert listed.error_code == (code or listed.error_code) != 0
    assert word in listed.error_message
    assert server.resolved("stable") == 2
    assert server.reload(*configs).status.error_code == 0
    assert server.states(name) == {version: "END"}


def test_a_model_without_its_variables_is_available_and_fails_every_request(server: Any) -> None:
    server.reload(server.config(), server.config("hollow", 3))
    assert server.states("hollow") == {3: "AVAILABLE"}
    assert refused(lambda: server.predict({"x": ROWS}, name="hollow"))[0] == "FAILED_PRECONDITION"
    assert server.http("POST", "/v1/models/hollow:predict", {"instances": [[1, 2]]}).status == 400


def test_a_reload_without_a_list_is_refused(server: Any) -> None:
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest()
    code, text = refused(lambda: server.model.HandleReloadConfigRequest(request, timeout=20))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("ServerModelConfig type not supported by HandleReloadConfigRequest")


def test_a_version_that_is_replaced_leaves_no_gap_for_those_who_ask_meanwhile(server: Any) -> None:
    server.reload(server.config("m", 1))
    eventually(lambda: server.states() == {1: "AVAILABLE", 2: "END"}, 15)
    replaced = threading.Event()

    def asking() -> list[list[float]]:
        answers = []
        while not replaced.is_set():
            answers.append(totals(server.predict({"x": ROWS})))
        return answers

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asking)
        try:
            server.reload(server.config("m", 2))
            eventually(lambda: server.states() == {1: "END", 2: "AVAILABLE"}, 15)
        finally:
            replaced.set()
        answers = asked.result(30)
    assert answers == [FIRST] * answers.count(FIRST) + [SECOND] * answers.count(SECOND)
    assert refused(lambda: server.predict({"x": ROWS}, version=1))[0] == "NOT_FOUND"


# REST: predict


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/models/m", SECOND),
        ("/v1/models/m/versions/1", FIRST),
        ("/v1/models/m/labels/stable", FIRST),
        ("/v1/models/m/labels/canary", SECOND),
        ("/V1/Models/%6d/Labels/%73table", FIRST),
    ],
)
def test_rest_predicts_by_model_version_and_label(server: Any, path: str, answer: list[float]) -> None:
    found = server.http("POST", f"{path}:predict", {"signature_name": "only", "instances": ROWS.tolist()})
    assert (found.status, found.kind, found.body) == (200, "application/json", {"predictions": answer})


def test_rest_answers_rows_with_rows_and_columns_with_columns(server: Any) -> None:
    rows = server.http("POST", "/v1/models/m/versions/1:predict", {"instances": [{"x": [1, 2]}, {"x": [3, 4.5]}]})
    columns = server.http("POST", "/v1/models/m/versions/1:predict", {"inputs": {"x": ROWS.tolist()}})
    assert rows.body == {
        "predictions": [{"total": 30.0, "word": "first-30"}, {"total": 75.0, "word": "first-75"}],
    }
    assert columns.body == {"outputs": {"total": FIRST, "word": ["first-30", "first-75"]}}


def test_rest_leaves_the_name_of_a_single_output_out_in_both_formats(server: Any) -> None:
    ask = {"signature_name": "between", "inputs": {"start": [1, 2], "to": [4, 9]}}
    assert server.http("POST", "/v1/models/m:predict", ask).body == {"outputs": [3, 7]}
    ask = {"signature_name": "between", "instances": [{"start": 1, "to": 4}, {"start": 2, "to": 9}]}
    assert server.http("POST", "/v1/models/m:predict", ask).body == {"predictions": [3, 7]}


def test_rest_takes_bytes_as_base64_and_gives_outputs_named_bytes_back_so(server: Any) -> None:
    ask = {"signature_name": "echo", "instances": [{"b64": "/wA="}, "ab\u00fc"]}
    answer = server.http("POST", "/v1/models/m:predict", ask)
    assert answer.body == {
        "predictions": [{"copy_bytes": {"b64": "/wA="}, "length": 2}, {"copy_bytes": {"b64": "YWLDvA=="}, "length": 4}]
    }


def test_rest_writes_floats_with_a_point_and_infinity_bare(server: Any) -> None:
    ask = {"signature_name": "only", "instances": [[0.07, 0], [3e38, 0], [-3e38, 0], [2, 0]]}
    answer = server.http("POST", "/v1/models/m/versions/1:predict", ask)
    assert answer.text == '{\n    "predictions": [0.7, Infinity, -Infinity, 20.0\n    ]\n}'


def test_rest_reads_a_compressed_body(server: Any) -> None:
    body = gzip.compress(b'{"signature_name": "only", "instances": [[1, 2]]}')
    answer = server.http("POST", "/v1/models/m/versions/1:predict", body, Content_Encoding="gzip")
    assert answer.body == {"predictions": [30.0]}


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"{}", mtime=0)[:-3], gzip.compress(b"{", mtime=0) + gzip.compress(b"}", mtime=0)],
)
def test_rest_takes_a_compressed_body_that_is_damaged_for_an_empty_one(server: Any, body: bytes) -> None:
    answer = server.http("POST", "/v1/models/m:predict", body, Content_Encoding="gzip")
    assert (answer.status, answer.body) == (400, {"error": "JSON Parse error: The document is empty"})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b'{"instances": [[1, 2}', "JSON Parse error: Missing a comma or ']' after an array element. at offset: 20"),
        ({"rows": [[1, 2]]}, "Missing 'inputs' or 'instances' key"),
        ([[1, 2]], "JSON Value: [[1, 2]] Is not object"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [[1, "two"]]}, 'JSON Value: "two" Type: String is not of expected type: float'),
        ({"instances": [[1, None]]}, "JSON Value: null Type: Null is not of expected type: float"),
        ({"instances": [[1, True]]}, "JSON Value: true Type: True is not of expected type: float"),
        ({"instances": [[1, 2], [3]]}, "Expecting tensor size: 2 but got: 1"),
        ({"instances": [{"x": [1, 2]}, {"y": [1, 2]}]}, "does not have named input: y"),
        ({"inputs": {"y": [[1, 2]]}}, "Missing named input: x in 'inputs' object."),
        ({"inputs": {}}, "Missing named input: x in 'inputs' object."),
        ({"signature_name": 3, "instances": [[1, 2]]}, "'signature_name' key must be a string value."),
        (
            {"signature_name": "none", "instances": [[1, 2]]},
            'Serving signature name: "none" not found in signature def',
        ),
        ({"signature_name": "between", "inputs": {"start": [1.5], "to": [2]}}, "is not of expected type: int32"),
        ({"signature_name": "between", "inputs": {"start": [2**31], "to": [2]}}, "int32"),
        ({"signature_name": "echo", "instances": [{"b64": "%"}]}, "base64"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rest_refuses_a_body_that_it_cannot_use_with_400_and_a_reason(server: Any, body: Any, text: str) -> None:
    answer = server.http("POST", "/v1/models/m:predict", body)
    assert (answer.status, answer.kind) == (400, "application/json")
    assert list(answer.body) == ["error"]
    assert text in answer.body["error"]


# REST: status, metadata, routes


def test_rest_prints_every_field_of_the_status_with_numbers_as_text(server: Any) -> None:
    answer = server.http("GET", "/v1/models/m/versions/1")
    assert answer.body == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    every = server.http("GET", "/v1/models/m").body["model_version_status"]
    assert sorted(entry["version"] for entry in every) == ["1", "2"]


def test_rest_ignores_the_label_of_a_status_request(server: Any) -> None:
    for label in ("stable", "blue"):
        answer = server.http("GET", f"/v1/models/m/labels/{label}")
        assert answer.status == 200
        assert len(answer.body["model_version_status"]) == 2


def test_rest_metadata_tell_where_a_label_points(server: Any) -> None:
    answer = server.http("GET", "/v1/models/m/labels/stable/metadata")
    assert answer.status == 200
    assert answer.body["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
    inputs = answer.body["metadata"]["signature_def"]["signature_def"]["between"]["inputs"]
    assert {alias: entry["dtype"] for alias, entry in inputs.items()} == {"start": "DT_INT32", "to": "DT_INT64"}


def test_rest_metadata_are_a_readiness_probe(server: Any) -> None:
    server.reload(server.config(stable=1, soon=9))
    codes = [server.http("GET", f"/v1/models/m/labels/{label}/metadata").status for label in ("stable", "blue", "soon")]
    assert codes == [200, 400, 404]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/m/versions/9", 404, "Could not find version 9 of model m"),
        ("GET", "/v1/models/m/versions/x", 400, "Malformed request: GET /v1/models/m/versions/x"),
        ("GET", "/v1/models/m:predict", 400, "Malformed request: GET /v1/models/m:predict"),
        ("GET", "/v1/other", 400, "Malformed request: GET /v1/other"),
        ("POST", "/v1/models/m", 400, "Malformed request: POST /v1/models/m"),
        ("POST", "/v1/models/m:PREDICT", 400, "Malformed request: POST /v1/models/m:PREDICT"),
        ("POST", "/v1/models/m:explain", 400, "Malformed request: POST /v1/models/m:explain"),
        ("PUT", "/v1/models/m:predict", 400, "Malformed request: PUT /v1/models/m:predict"),
        ("DELETE", "/v1/models/m", 400, "Malformed request: DELETE /v1/models/m"),
        ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
        ("POST", "/v1/models/m/versions/9:predict", 404, "Servable not found for request: Specific(m, 9)"),
        ("POST", "/v1/models/m/labels/blue:predict", 400, "Unrecognized servable version label: blue"),
    ],
)
def test_rest_refuses_other_routes_and_unknown_models_as_json(
    server: Any, method: str, path: str, status: int, text: str
) -> None:
    answer = server.http(method, path, {"instances": [[1, 2]]} if method in {"POST", "PUT"} else None)
    assert (answer.status, answer.kind, answer.body) == (status, "application/json", {"error": text})


def test_outside_v1_there_is_a_page_that_says_not_found(server: Any) -> None:
    answer = server.http("GET", "/index.html")
    assert (answer.status, answer.kind) == (404, "text/html")
    assert "Not Found" in answer.text
