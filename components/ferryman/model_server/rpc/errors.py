"""Whatever goes wrong while answering, as one gRPC status; nothing else reaches a client."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from ferryman.model_server.core import INTERNAL, RESOURCE_EXHAUSTED, Refusal
from ferryman.serving.protocol.services import UNREADABLE

log = logging.getLogger("ferryman.model_server")

LONGEST = 1024
"""Bytes of an error text (`grpc_status_util.cc`)."""

CODES = {code.value[0]: code for code in grpc.StatusCode}


def answered(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A method of a service whose errors become gRPC's."""

    def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request)
        except Exception as error:
            refusal = refusal_of(error)
        return context.abort(CODES.get(refusal.code, grpc.StatusCode.UNKNOWN), shortened(refusal.text))

    return call


def refusal_of(error: Exception) -> Refusal:
    """How an error is answered: a refusal as it is; anything else is a bug of ours, logged and told in one line."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DecodeError):
        return Refusal(UNREADABLE[0].value[0], UNREADABLE[1])
    log.exception("a bug while answering")
    code = RESOURCE_EXHAUSTED if isinstance(error, MemoryError) else INTERNAL
    return Refusal(code, f"{type(error).__name__}: {' '.join(str(error).split())}")


def shortened(text: str) -> str:
    """The text as `grpc_status_util.cc:ToGRPCStatus` cuts it."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= LONGEST:
        return text
    return f"{encoded[:LONGEST].decode(errors='ignore')}...TRUNCATED"
