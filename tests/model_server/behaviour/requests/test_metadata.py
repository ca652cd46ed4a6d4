"""GetModelMetadata over gRPC and REST, and which services there are at all."""

from __future__ import annotations

from typing import Any

import pytest
from rests_on import rests_on
from serving_client import Client, refusal

ASK = "servables/tensorflow/get_model_metadata_impl.cc:GetModelMetadataImpl::GetModelMetadata"
CHECK = "servables/tensorflow/get_model_metadata_impl.cc:ValidateGetModelMetadataRequest"
FILL = "servables/tensorflow/get_model_metadata_impl.cc:SavedModelGetSignatureDef"
PRINT = "model_servers/http_rest_api_util.cc:ToJsonString"

TENSOR = """{
    "ALIAS": {
     "name": "ALIAS:0",
     "dtype": "DT_FLOAT",
     "tensor_shape": {
      "dim": [
       {
        "size": "-1",
        "name": ""
       },
       {
        "size": "3",
        "name": ""
       }
      ],
      "unknown_rank": false
     }
    }
   }"""
"""The only tensor of a side of `tiny`'s signature."""

TINY = f"""{{
"model_spec":{{
 "name": "tiny",
 "version": "1",
 "signature_name": ""
}}
,
"metadata": {{"signature_def": {{
 "signature_def": {{
  "serving_default": {{
   "inputs": {TENSOR.replace("ALIAS", "x")},
   "outputs": {TENSOR.replace("ALIAS", "y")},
   "method_name": "tensorflow/serving/predict",
   "defaults": {{}}
  }}
 }}
}}
}}
}}
"""
"""What protobuf >= 26 prints: fields by number, one blank a level, everything without presence."""


def signatures(response: Any) -> Any:
    """The SignatureDefMap in an answer."""
    from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

    found = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    return found.signature_def


@rests_on(ASK)
def test_metadata_without_a_model_spec_is_refused(served: Client) -> None:
    assert refusal(served.metadata) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@rests_on(CHECK)
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ((), "GetModelMetadataRequest must specify at least one metadata_field"),
        (("signature_def", "size"), "Metadata field size is not supported"),
        (("",), "Metadata field  is not supported"),
    ],
    ids=str,
)
def test_only_the_field_signature_def_can_be_asked_for_and_that_is_seen_first(
    served: Client, fields: tuple[str, ...], text: str
) -> None:
    for name in ("m", "nobody"):
        assert refusal(lambda name=name: served.metadata(*fields, name=name)) == ("INVALID_ARGUMENT", text)


@rests_on(FILL)
@pytest.mark.parametrize(
    ("spec", "version"),
    [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary", "signature": "two"}, 2)],
    ids=str,
)
def test_metadata_says_the_version_and_never_label_or_signature(
    served: Client, spec: dict[str, Any], version: int
) -> None:
    said = served.metadata("signature_def", name="m", **spec).model_spec
    assert (said.name, said.version.value, said.version_label, said.signature_name) == ("m", version, "", "")


@rests_on(FILL)
def test_metadata_holds_every_signature_as_it_was_saved(served: Client) -> None:
    response = served.metadata("signature_def", "signature_def", name="m")
    found = signatures(response)
    assert set(response.metadata) == {"signature_def"}
    assert response.metadata["signature_def"].type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert {"serving_default", "two", "classify", "regress_double"} <= set(found)
    assert found["two"].inputs["b"].dtype == 9
    assert [dim.size for dim in found["two"].inputs["b"].tensor_shape.dim] == [-1]
    assert found["copy_int64"].inputs["x"].tensor_shape.unknown_rank
    assert found["classify"].method_name == "tensorflow/serving/classify"
    assert list(found["two_with_default"].defaults["b"].int64_val) == [7]


@rests_on("model_servers/server_core.cc:ServerCore::GetModelVersionForLabel")
def test_metadata_of_what_is_not_served_is_refused_as_for_predict(served: Client) -> None:
    missing = ("NOT_FOUND", "Servable not found for request: Specific(m, 7)")
    assert refusal(lambda: served.metadata("signature_def", name="m", version=7)) == missing
    unknown = ("INVALID_ARGUMENT", "Unrecognized servable version label: old")
    assert refusal(lambda: served.metadata("signature_def", name="m", label="old")) == unknown


@rests_on(PRINT)
def test_rest_prints_metadata_to_the_byte(served: Client) -> None:
    answer = served.http("GET", "/v1/models/tiny/metadata")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == TINY


@rests_on("model_servers/http_rest_api_handler.cc:HttpRestApiHandler::ProcessModelMetadataRequest")
def test_rest_metadata_tells_whether_a_label_can_serve(served: Client) -> None:
    paths = ("labels/stable", "labels/old", "versions/7", "versions/1")
    answers = [served.http("GET", f"/v1/models/m/{path}/metadata") for path in paths]
    assert [answer.status for answer in answers] == [200, 400, 404, 200]
    assert answers[0].body["model_spec"] == {"name": "m", "version": "1", "signature_name": ""}
    assert answers[1].body == {"error": "Unrecognized servable version label: old"}
    assert answers[2].body == {"error": "Servable not found for request: Specific(m, 7)"}


@rests_on("model_servers/server.cc:Server::BuildAndStart")
@pytest.mark.parametrize(
    "method",
    [
        "/tensorflow.serving.SessionService/SessionRun",
        "/tensorflow.serving.PredictionService/Explain",
        "/tensorflow.serving.PredictionService",
        "/nothing.At.All/Ever",
    ],
)
def test_a_service_or_method_that_is_not_registered_is_unimplemented(served: Client, method: str) -> None:
    call = served.channel.unary_unary(method)
    assert refusal(lambda: call(b"", timeout=20))[0] == "UNIMPLEMENTED"
