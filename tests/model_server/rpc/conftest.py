"""Servers of the tests in this folder: one for a module, others as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rpc_bench import HOST, Running, Serve, Tripling
from version_folders import VersionFolders

from ferryman.model_server.core import Model, Policy
from ferryman.model_server.rpc.server import Options
from ferryman.model_server.servables import Servables, Settings
from ferryman.serving.server import free_port


@pytest.fixture(scope="session")
def model() -> Tripling:
    return Tripling()


@pytest.fixture(scope="session")
def servables(model: Tripling) -> Iterator[Servables]:
    """Version 7 of the model `m`."""
    servables = Servables(Settings(), lambda _: model, VersionFolders(7))
    servables.start()
    servables.reload((Model("m", "/m", Policy("latest")),))
    yield servables
    servables.stop()


@pytest.fixture(scope="module")
def serve(servables: Servables, model: Tripling) -> Iterator[Serve]:
    """Starts servers; `addresses` default to a free port."""
    started: list[Running] = []

    def serve(*addresses: str, threads: int = 4, **options: Any) -> Running:
        where = list(addresses) or [f"{HOST}:{free_port(HOST)}"]
        started.append(Running(servables, model, where, Options(**options), threads))
        return started[-1]

    yield serve
    for running in started:
        running.channel.close()
        running.server.stop(0).wait()


@pytest.fixture(scope="module")
def running(serve: Serve) -> Running:
    """The server of a test module, with the health service."""
    return serve(health=True)


@pytest.fixture
def free_address() -> str:
    return f"{HOST}:{free_port(HOST)}"
