"""What both doors answer to the question for a model's versions."""

from __future__ import annotations

from typing import Any

from ferryman.model_server import core
from ferryman.model_server.core import State
from ferryman.serving.protocol import GetModelStatusResponse

NUMBERS = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
"""Of ModelVersionStatus.State (get_model_status.proto)."""


def version_status(state: State, model: str, number: int | None) -> Any:
    """The GetModelStatusResponse on one version of a model, or on all: ended ones stay listed.

    Raises:
        Refusal: there is none, or never was.

    Source: `model_servers/get_model_status_impl.cc:GetModelStatusWithModelSpec`.
    """
    response = GetModelStatusResponse()
    for version in core.status(state, model, number):
        entry = response.model_version_status.add(version=version.number, state=NUMBERS[version.status])
        entry.status.error_code, entry.status.error_message = version.code, version.message
    return response
