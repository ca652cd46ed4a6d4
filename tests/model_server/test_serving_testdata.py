"""A server with TensorFlow Serving's own test models and files: what its own tests ask of the real one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from serving_client import Client
from serving_testdata import found, needs_testdata

from ferryman.model_server import settings
from ferryman.model_server.core import Refusal
from ferryman.model_server.flags import Flags
from ferryman.model_server.text_files import read
from ferryman.serving.config import ModelConfig, render
from ferryman.serving.protocol import ModelServerConfig
from ferryman.serving.server import ServerKind, free_port, launch

pytestmark = needs_testdata

KIND = ServerKind((sys.executable, "-m", "ferryman.model_server"), "ferryman-model-server", True)

MODELS = {
    "saved_model_half_plus_two_cpu": (123,),
    "saved_model_half_plus_two_2_versions": (123, 124),
    "saved_model_half_plus_two_tf2_cpu": (123,),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("testdata")
    startup = folder / "models.config"
    startup.write_text(render([ModelConfig(name, str(found(name)), versions) for name, versions in MODELS.items()]))
    process = launch(KIND, startup, folder, "127.0.0.1", (free_port("127.0.0.1"), free_port("127.0.0.1")), wait=True)
    try:
        yield Client(process.grpc_address, process.rest_url.removeprefix("http://"))
    finally:
        process.stop()


@pytest.mark.parametrize(
    ("name", "version", "file"),
    [
        ("saved_model_half_plus_two_cpu", 123, "half_plus_two_model_metadata.json"),
        ("saved_model_half_plus_two_2_versions", 124, "saved_model_half_plus_two_2_versions_metadata.json"),
    ],
)
def test_the_metadata_are_those_of_the_real_server(running: Client, name: str, version: int, file: str) -> None:
    expected = json.loads(found(file).read_text())
    answer = running.http("GET", f"/v1/models/{name}/versions/{version}/metadata").body
    expected["model_spec"] = {"name": name, "signature_name": "", "version": str(version)}
    assert answer == expected


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}, {"results": [[["", 3.0]]]}),
        ("regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}, {"results": [3.0]}),
    ],
)
def test_examples_are_answered(running: Client, name: str, verb: str, body: Any, expected: Any) -> None:
    assert running.http("POST", f"/v1/models/{name}:{verb}", body).body == expected


def test_values_without_rows_are_answered_without(running: Client) -> None:
    path = "/v1/models/saved_model_half_plus_two_cpu:predict"
    assert running.http("POST", path, {"instances": [2.0, 3.0, 4.0]}).body == {"predictions": [3.0, 3.5, 4.0]}
    assert running.http("POST", path, {"inputs": [2.0, 3.0, 4.0]}).body == {"outputs": [3.0, 3.5, 4.0]}


def test_its_text_files_are_read() -> None:
    config = read(str(found("good_model_config.txt")), ModelServerConfig)
    assert [model.name for model in config.model_config_list.config] == ["half_plus_two", "half_plus_three"]
    with pytest.raises(Refusal, match=r"^Invalid protobuf file: "):
        read(str(found("bad_model_config.txt")), ModelServerConfig)
    batching = settings.batching(
        Flags(enable_batching=True, batching_parameters_file=str(found("batching_config.txt")))
    )
    assert (batching.max_batch_size.value, batching.num_batch_threads.value) == (128, 8)
    path = settings.metrics_path(Flags(monitoring_config_file=str(found("monitoring_config.txt"))))
    assert path == "/monitoring/prometheus/metrics"
