"""One server for all cases about requests: they change nothing in it.

`served` is a `serving_client.Client`. The models: `m` (request_models.save_request_model; versions 1 and 2 multiply by
10 and 100; labels `stable` 1, `canary` 2), `tiny` (one signature), `tally` (saved_models.tally), `hollow` 3 (its
variables are gone) and a model whose name needs escapes in a URL.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import saved_models
from golden_requests import answers_right
from request_models import FACTORS, save_request_model, save_tiny_model
from serving_client import Client, Model, as_text
from serving_target import FLAGS, Target

ODD_NAME = "odd näme/1%"


@pytest.fixture(scope="session")
def held(models: Path) -> list[Model]:
    """The models, as they are to be held."""
    folder = models / "requests"
    for version, factor in FACTORS.items():
        save_request_model(folder / "m" / str(version), factor)
    save_tiny_model(folder / "tiny" / "1")
    saved_models.tally(folder / "tally" / "1")
    shutil.rmtree(saved_models.line(folder / "hollow" / "3", 0.5, 2.0) / "variables")
    return [
        Model("m", folder / "m", (1, 2), {"stable": 1, "canary": 2}),
        Model("tiny", folder / "tiny", (1,), {"sta/ble": 1}),
        Model("tally", folder / "tally", (1,)),
        Model("hollow", folder / "hollow", (3,)),
        Model(ODD_NAME, folder / "tiny", (1,)),
    ]


@pytest.fixture(scope="session")
def asked(aim: Target, held: list[Model], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The process, started with the models."""
    if not aim.command:
        yield Client(aim.address, aim.rest)
        return
    folder = tmp_path_factory.mktemp("asked")
    (folder / "models.config").write_text(as_text(*held))
    started = aim.start(folder, f"--model_config_file={folder / 'models.config'}", *FLAGS)
    try:
        yield started.client()
    finally:
        started.stop()


@pytest.fixture(scope="module")
def served(aim: Target, asked: Client, held: list[Model]) -> Iterator[Client]:
    """The process with all its models AVAILABLE, whatever other modules did to it."""
    asked.hold(*held)
    yield asked
    if not aim.command:
        # Another `m` comes next.
        asked.empty(*(model.name for model in held))


@pytest.fixture
def alive(served: Client) -> Iterator[None]:
    """After the case, both ports answer as before."""
    yield
    answers_right(served)
