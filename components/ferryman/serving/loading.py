"""A server that holds nothing is told to hold one version, and the answer is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from ferryman.serving.client import ServerAwayError, ServingClient, ServingError
from ferryman.serving.config import ModelConfig

PAUSE = 0.05
"""Seconds between two looks at the version's state."""


def load_alone(
    client: ServingClient, config: ModelConfig, limit: float, given_up: Callable[[], bool] = lambda: False
) -> str:
    """Load the one version of `config`; why it is not available, after `limit` seconds at most, empty when it is.

    Raises:
        ServerAwayError: the server cannot be reached, which says nothing about the version.
    """
    (number,) = config.versions
    try:
        client.reload([config], timeout=limit)
    except ServerAwayError:
        raise
    except ServingError as error:
        status = client.status(config.name).get(number)
        return status.message if status and status.failed else error.message
    deadline = time.monotonic() + limit
    while not given_up() and time.monotonic() < deadline:
        status = client.status(config.name).get(number)
        if status and status.available:
            return ""
        if status and status.failed:
            return status.message
        time.sleep(PAUSE)
    return f"not available within {limit:.0f} s"
