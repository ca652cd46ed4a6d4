"""A REST server in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from doubling import Running, started

from ferryman.model_server.rest.handler import RestOptions


@pytest.fixture(scope="module")
def rest() -> Iterator[Running]:
    """A server with four threads, and a monitoring page."""
    options = RestOptions(threads=4, monitoring_path="/metrics", monitoring_page=lambda: "a_count 3\n")
    running = started({}, options)
    yield running
    running.server.stop(1)
