"""REST: which paths and methods there are, and what every other one is answered, to the byte."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from raw_http import exchange, request, status
from rests_on import rests_on
from serving_client import Client

UTIL = "model_servers/http_rest_api_util.cc"
PARSE = f"{UTIL}:ParseModelInfo"
HANDLER = "model_servers/http_rest_api_handler.cc:HttpRestApiHandler"
PROCESS = f"{HANDLER}::ProcessRequest"
DISPATCH = "model_servers/http_server.cc:RestApiRequestDispatcher::Dispatch"
EVENT = "util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest"
DECODE = "util/net_http/server/internal/evhttp_request.cc:ParsedEvRequest::decode"

ONE = {"instances": [1.0]}


def page(number: int, reason: str) -> bytes:
    """The page that libevent 2.1.12 writes for an error of its own (http.c, evhttp_send_error)."""
    return (
        f"<HTML><HEAD>\n<TITLE>{number} {reason}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    ).encode()


def error(text: str) -> str:
    """The body of an error whose text needs no escapes."""
    return f'{{\n    "error": "{text}"\n}}'


MALFORMED = [
    ("GET", "/v1/foo"),
    ("POST", "/v1/foo"),
    ("GET", "/v1/"),
    ("POST", "/v1/models"),
    ("GET", "/v1/models/"),
    ("GET", "/v1/models/m/"),
    ("GET", "/v1/models/debug/m"),
    ("GET", "/v1/models/m:predict"),
    ("GET", "/v1/models/m/version/1"),
    ("GET", "/v1/models/m/versions/1/labels/stable"),
    ("GET", "/v1/models/m/versions/one"),
    ("GET", "/v1/models/m/versions/-1"),
    ("GET", "/v1/models/m/metadata/signature_def"),
    ("POST", "/v1/models/m"),
    ("POST", "/v1/models/m:explain"),
    ("POST", "/v1/models/m:PREDICT"),
    ("POST", "/v1/models/m:predict?x=1"),
    ("POST", "/v1/models/m/metadata"),
    ("POST", "/v1/models/m/versions/HELLO:regress"),
    ("POST", "/v1/models/m/versions/:predict"),
    ("POST", "/v1/models/m/versions/1/labels/stable:predict"),
    ("POST", "/v1/models/m/labels/a/b:predict"),
    ("PUT", "/v1/models/m:predict"),
    ("DELETE", "/v1/models/m"),
    ("PATCH", "/v1/models/m"),
]


@rests_on(PARSE, PROCESS, "util/json_tensor.cc:MakeJsonFromStatus")
@pytest.mark.parametrize(("method", "path"), MALFORMED, ids=lambda word: word)
def test_anything_else_below_v1_is_a_malformed_request(served: Client, method: str, path: str) -> None:
    answer = served.http(method, path, ONE)
    assert answer.text == error(f"Malformed request: {method} {path}")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")


@rests_on(f"{HANDLER}::ProcessModelStatusRequest", f"{HANDLER}::ProcessModelMetadataRequest")
@pytest.mark.parametrize("path", ["", "/versions/1", "/labels/stable", "/versions/1/metadata", "/labels/x/metadata"])
def test_a_path_without_a_model_says_so(served: Client, path: str) -> None:
    answer = served.http("GET", f"/v1/models{path}")
    assert (answer.status, answer.text) == (400, error("Missing model name in request."))


@rests_on(PARSE, "util/net_http/server/internal/evhttp_request.cc:EvHTTPRequest::uri_path")
@pytest.mark.parametrize("name", ["metadata", "m?verbose=1", "m?"])
def test_the_word_metadata_alone_and_a_query_are_taken_for_a_models_name(served: Client, name: str) -> None:
    answer = served.http("GET", f"/v1/models/{name}")
    assert (answer.status, answer.text) == (404, error(f"Could not find any versions of model {name}"))


@rests_on(PARSE, PROCESS)
@pytest.mark.parametrize("call", ["GET /v1/models/m/versions/{}", "POST /v1/models/m/versions/{}:predict"])
def test_a_version_beyond_64_bits_is_refused_without_a_body(served: Client, call: str) -> None:
    method, path = call.format(2**63).split()
    answer = served.http(method, path, ONE)
    assert (answer.status, answer.raw, answer.headers["content-type"]) == (400, b"", "application/json")


@rests_on(PARSE)
def test_a_version_may_have_leading_zeros(served: Client) -> None:
    answer = served.http("POST", "/v1/models/m/versions/0001:predict", ONE)
    assert (answer.status, answer.body) == (200, {"predictions": [10.0]})


@rests_on(PARSE, DISPATCH)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/V1/Models/m"),
        ("GET", "/v1/models/m/VERSIONS/1"),
        ("POST", "/v1/MODELS/m/Versions/1:predict"),
        ("POST", "/v1/models/m/LABELS/stable:predict"),
    ],
)
def test_the_words_of_a_path_may_be_in_capitals(served: Client, method: str, path: str) -> None:
    answer = served.http(method, path, ONE if method == "POST" else None)
    assert answer.status == 200
    assert answer.body.get("predictions", [10.0]) == [10.0]


@rests_on(PROCESS)
def test_metadata_in_capitals_is_answered_with_the_status(served: Client) -> None:
    answer = served.http("GET", "/v1/models/m/METADATA")
    assert (answer.status, list(answer.body)) == (200, ["model_version_status"])


@rests_on(DISPATCH, EVENT)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v2/models/m", "/x/v1/models/m", "/monitoring/prometheus/metrics"])
def test_a_path_outside_v1_is_not_found_and_the_page_is_html(served: Client, method: str, path: str) -> None:
    answer = served.http(method, path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html")
    assert answer.raw == page(404, "Not Found")
    assert answer.headers["connection"] == "close"


@rests_on(DECODE, EVENT)
@pytest.mark.parametrize("path", ["/v1/models/%zz", "/v1/models/%4", '/v1/models/"', "/v1/models/\xc3\xa4", "/v1/a|b"])
def test_a_path_that_is_no_uri_is_a_bad_request_and_the_page_is_html(served: Client, path: str) -> None:
    answer = exchange(served.rest, request("GET", "PATH").replace(b"PATH", path.encode("latin-1")))
    assert status(answer) == 400
    assert answer.endswith(page(400, "Bad Request"))


@rests_on("util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::Initialize")
@pytest.mark.parametrize("method", ["TRACE", "FETCH"])
def test_a_method_that_is_not_allowed_is_not_implemented(served: Client, method: str) -> None:
    answer = exchange(served.rest, request(method, "/v1/models/m"))
    assert status(answer) == 501
    assert answer.endswith(page(501, "Not Implemented"))


@rests_on(PROCESS)
def test_head_is_a_malformed_request_too(served: Client) -> None:
    assert served.http("HEAD", "/v1/models/m").status == 400


@rests_on("model_servers/http_server.cc:RestApiRequestDispatcher::ProcessRequest")
def test_options_needs_an_origin_and_has_no_body(served: Client) -> None:
    answers = [
        served.http("OPTIONS", "/v1/models/m:predict", **headers)
        for headers in ({}, {"Origin": "null"}, {"Origin": "http://page"}, {"Origin": "https://page"})
    ]
    assert [(answer.status, answer.raw) for answer in answers] == [(400, b""), (400, b""), (200, b""), (200, b"")]
    assert not any(name.startswith("access-control") for answer in answers for name in answer.headers)


# Names in a path


@rests_on(f"{UTIL}:DecodeArg")
def test_names_and_labels_are_decoded(served: Client) -> None:
    name = quote("odd näme/1%", safe="")
    assert served.http("GET", f"/v1/models/{name}").body["model_version_status"][0]["state"] == "AVAILABLE"
    assert served.http("GET", "/v1/models/%6d/labels/%73table/metadata").body["model_spec"]["version"] == "1"
    assert served.http("GET", "/v1/models/tiny/labels/sta%2Fble/metadata").status == 200


@rests_on(f"{UTIL}:DecodeArg", "util/json_tensor.cc:MakeJsonFromStatus")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("no%20body", "no body"),
        ("no+body", "no+body"),
        ("%3Ascript%3E", ":script>"),
        ("a%22b%5C", r"a\"b\\"),
        ("%C3%A4", "ä"),
        ("a%00b", r"a\u0000b"),
        ("a%0Ab", r"a\nb"),
        ("a%25", "a%"),
    ],
)
def test_a_name_is_repeated_decoded_and_as_json(served: Client, path: str, name: str) -> None:
    answer = served.http("GET", f"/v1/models/{path}")
    assert (answer.status, answer.text) == (404, error(f"Could not find any versions of model {name}"))


# Status


def status_text(*versions: int) -> str:
    """AVAILABLE versions, highest first, as protobuf's C++ prints them: one blank a level, a line's end at the end."""
    each = (
        f'  {{\n   "version": "{version}",\n   "state": "AVAILABLE",\n   "status": {{\n'
        f'    "error_code": "OK",\n    "error_message": ""\n   }}\n  }}'
        for version in versions
    )
    return '{\n "model_version_status": [\n' + ",\n".join(each) + "\n ]\n}\n"


@rests_on(f"{UTIL}:ToJsonString", "core/servable_state_monitor.cc:ServableStateMonitor::GetVersionStates")
@pytest.mark.parametrize(
    ("path", "versions"),
    [("m", (2, 1)), ("m/versions/1", (1,)), ("m/labels/stable", (2, 1)), ("m/labels/nope", (2, 1)), ("tiny", (1,))],
)
def test_a_status_is_printed_to_the_byte_and_ignores_labels(
    served: Client, path: str, versions: tuple[int, ...]
) -> None:
    answer = served.http("GET", f"/v1/models/{path}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == status_text(*versions)


@rests_on("model_servers/get_model_status_impl.cc:GetModelStatusImpl::GetModelStatus")
def test_the_status_of_a_version_that_was_never_seen_is_not_found(served: Client) -> None:
    answer = served.http("GET", "/v1/models/m/versions/7")
    assert (answer.status, answer.text) == (404, error("Could not find version 7 of model m"))
