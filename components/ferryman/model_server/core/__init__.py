"""The server's versions, labels and policies as a pure state machine: no threads, no clock, no files.

The state is a small immutable value; what may happen are functions from state to state, chosen by the driver (or by a
test). `file.cc:Function` names the source below `tensorflow_serving/` (2.21) that each of them follows.
"""

from __future__ import annotations

from ferryman.model_server.core.answers import Awaited, labelled, nameless, not_found, resolve, status, unavailable
from ferryman.model_server.core.codes import (
    ABORTED,
    ALREADY_EXISTS,
    CANCELLED,
    DATA_LOSS,
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    OK,
    OUT_OF_RANGE,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    UNKNOWN,
    Refusal,
    name_of,
)
from ferryman.model_server.core.config import Config, Model, Policy, Unlisted, check_logging, check_transition
from ferryman.model_server.core.load import (
    announce,
    begin,
    cancelled,
    end,
    failed,
    loaded,
    request,
    unloaded,
    unreserved,
)
from ferryman.model_server.core.manage import Action, aspire, flush, next_action, take_over, tick
from ferryman.model_server.core.reload import adopt, drop_source, reload, replace_source
from ferryman.model_server.core.state import Managed, State, Status, Version, Wish

__all__ = [
    "ABORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OK",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
    "Action",
    "Awaited",
    "Config",
    "Managed",
    "Model",
    "Policy",
    "Refusal",
    "State",
    "Status",
    "Unlisted",
    "Version",
    "Wish",
    "adopt",
    "announce",
    "aspire",
    "begin",
    "cancelled",
    "check_logging",
    "check_transition",
    "drop_source",
    "end",
    "failed",
    "flush",
    "labelled",
    "loaded",
    "name_of",
    "nameless",
    "next_action",
    "not_found",
    "reload",
    "replace_source",
    "request",
    "resolve",
    "status",
    "take_over",
    "tick",
    "unavailable",
    "unloaded",
    "unreserved",
]
