"""gRPC's health service as the real server has it: always SERVING once it listens; it knows nothing of models.

Source: `model_servers/server.cc:BuildAndStart`; grpc/src/cpp/server/health/default_health_check_service.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from ferryman.serving.protocol import schema
from ferryman.serving.protocol.services import reading

POOL = schema.load(Path(__file__).with_name("health.proto"))
SERVICE = "grpc.health.v1.Health"
KNOWN = frozenset(("", "ModelService", "PredictionService"))
"""What may be asked for: the server as a whole, and two names without their package."""

SERVING, SERVICE_UNKNOWN = 1, 3

Request = GetMessageClass(POOL.FindMessageTypeByName("grpc.health.v1.HealthCheckRequest"))
Response = GetMessageClass(POOL.FindMessageTypeByName("grpc.health.v1.HealthCheckResponse"))


def check(request: Any, context: Any) -> Any:
    """SERVING, or NOT_FOUND for another name."""
    if request.service not in KNOWN:
        context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
    return Response(status=SERVING)


def watch(request: Any, context: Any, send: Callable[[Any], None]) -> None:
    """The status now; it does not change, and the call stays open until the client or the server ends it."""
    send(Response(status=SERVING if request.service in KNOWN else SERVICE_UNKNOWN))


UNREADABLE = "could not parse request"

_watch = reading(Request.FromString, watch, (grpc.StatusCode.INTERNAL, UNREADABLE))

# Returns while its call stays open: as many watchers as threads would leave none to predict (grpcio 1.85, _server.py).
_watch.experimental_non_blocking = True  # type: ignore[attr-defined]


def handler() -> grpc.GenericRpcHandler:
    """What lets a server answer the service."""
    write = Response.SerializeToString
    read_check = reading(Request.FromString, check, (grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE))
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Check": grpc.unary_unary_rpc_method_handler(read_check, response_serializer=write),
            "Watch": grpc.unary_stream_rpc_method_handler(_watch, response_serializer=write),
        },
    )
