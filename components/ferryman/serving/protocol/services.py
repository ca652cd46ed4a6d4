"""The services of the protocol at both ends of a channel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ferryman.serving.protocol import POOL

PREDICTION = "tensorflow.serving.PredictionService"
MODELS = "tensorflow.serving.ModelService"


UNREADABLE = (grpc.StatusCode.INTERNAL, "")
"""What gRPC in C++ answers to bytes that are no message. Source: `grpcpp/impl/proto_utils.h:GenericDeserialize`."""


class Stub:
    """The methods of `service` at the server behind `channel`, each under its own name."""

    def __init__(self, channel: grpc.Channel, service: str) -> None:
        for name, request, response in _methods(service):
            path = f"/{service}/{name}"
            call = channel.unary_unary(path, request.SerializeToString, response.FromString)
            setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the service has no method {name}")


def handler(service: str, servicer: object, *, raw: Collection[str] = ()) -> grpc.GenericRpcHandler:
    """What lets a server answer `service` by the methods of `servicer`, which have the names of the calls.

    Those in `raw` take and return bytes.
    """
    return grpc.method_handlers_generic_handler(
        service,
        {
            name: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, name) if name in raw else reading(request.FromString, getattr(servicer, name)),
                response_serializer=None if name in raw else response.SerializeToString,
            )
            for name, request, response in _methods(service)
        },
    )


def reading(
    read: Callable[[bytes], Any], answer: Callable[..., Any], refused: tuple[grpc.StatusCode, str] = UNREADABLE
) -> Callable[..., Any]:
    """`answer` for the bytes of its request, and `refused` when they are none.

    The deserializer that grpcio takes must not fail: of each failure it keeps 16 kB, and logs a traceback (1.85).
    """

    def call(serialized: bytes, context: Any, *send: Any) -> Any:
        try:
            request = read(serialized)
        except DecodeError:
            request = None
        # Not from within `except`: what `abort` raises would keep the error, and that the bytes.
        return context.abort(*refused) if request is None else answer(request, context, *send)

    return call


def _methods(service: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, class of the request and class of the response of each method."""
    for method in POOL.FindServiceByName(service).methods:
        yield method.name, GetMessageClass(method.input_type), GetMessageClass(method.output_type)
