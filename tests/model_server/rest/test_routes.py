"""Which call a target is (http_rest_api_util.cc)."""

from __future__ import annotations

import pytest

from ferryman.model_server.rest.routes import API, NotNumeric, Route, route


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1/models/m:predict", Route("m", None, None, "predict")),
        ("POST", "/V1/MODELS/m/VERSIONS/007:classify", Route("m", 7, None, "classify")),
        ("POST", "/v1/models/m/labels/s%20t:regress", Route("m", None, "s t", "regress")),
        ("POST", "/v1/models/a%2Fb%ff:PREDICT", Route("a/b\udcff", None, None, "PREDICT")),
        ("POST", "/v1/models/m?x=1:predict", Route("m?x=1", None, None, "predict")),
        ("POST", "/v1/models/m:predict?x=1", None),
        ("POST", "/v1/models/m:explain", None),
        ("POST", "/v1/models/m", None),
        ("POST", "/v1/models/m/versions/1/labels/l:predict", None),
        ("GET", "/v1/models", Route()),
        ("GET", "/v1/models/", None),
        ("GET", "/v1/models/metadata", Route("metadata")),
        ("GET", "/v1/models/m/Metadata", Route("m", None, None, "Metadata")),
        ("GET", "/v1/models/m/labels/l/metadata", Route("m", None, "l", "metadata")),
        ("GET", "/v1/models/versions/3", Route("", 3)),
        ("GET", "/v1/models/m?x=1", Route("m?x=1")),
        ("GET", "/v1/models/m/metadata?x=1", None),
        ("GET", "/v1/models/m/versions/x", None),
        ("GET", "/v1/models/m:predict", None),
        ("PUT", "/v1/models/m:predict", None),
        ("GET", "/v1/models/m/versions/9223372036854775807", Route("m", 2**63 - 1)),
        ("GET", f"/v1/models/m/versions/{'0' * 5000}1", Route("m", 1)),
    ],
)
def test_a_target_is_a_call_or_malformed(method: str, target: str, expected: Route | None) -> None:
    assert route(method, target) == expected


@pytest.mark.parametrize("digits", ["9223372036854775808", "9" * 6000])
def test_a_version_beyond_64_bits_is_no_number(digits: str) -> None:
    with pytest.raises(NotNumeric, match=f"^Failed to convert version: {digits} to numeric.$"):
        route("GET", f"/v1/models/m/versions/{digits}")


@pytest.mark.parametrize(("target", "is_api"), [("/v1/", True), ("/V1/x", True), ("/v1", False), ("/v2/", False)])
def test_the_api_is_below_v1(target: str, is_api: bool) -> None:
    assert bool(API.fullmatch(target)) is is_api
