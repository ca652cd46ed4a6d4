"""REST with --rest_api_enable_cors_support: the headers that let pages of other sites ask."""

from __future__ import annotations

import pytest
from rests_on import rests_on
from serving_client import Client

CORS = "model_servers/http_rest_api_util.cc:AddCORSHeaders"

FLAGS = ("--rest_api_enable_cors_support=true",)

pytestmark = pytest.mark.usefixtures("own_process")


@rests_on(CORS, "model_servers/http_server.cc:RestApiRequestDispatcher::ProcessRequest")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/m", 200),
        ("GET", "/v1/models/nobody", 404),
        ("POST", "/v1/models/m:predict", 400),
        ("OPTIONS", "/v1/models/m:predict", 200),
        ("OPTIONS", "/v1/anything", 200),
    ],
)
def test_with_the_flag_every_answer_below_v1_allows_pages_of_other_sites(
    server: Client, method: str, path: str, status: int
) -> None:
    answer = server.http(method, path, Origin="https://page.example")
    assert answer.status == status
    allowed = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert allowed == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST, GET",
        "access-control-allow-headers": "Content-Type",
    }


@rests_on("util/net_http/server/internal/evhttp_server.cc:EvHTTPServer::DispatchEvRequest")
def test_a_page_of_the_http_library_allows_nothing(server: Client) -> None:
    answer = server.http("OPTIONS", "/elsewhere", Origin="https://page.example")
    assert answer.status == 404
    assert not any(name.startswith("access-control-") for name in answer.headers)
