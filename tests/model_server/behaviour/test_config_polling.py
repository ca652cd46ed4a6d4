"""--model_config_file_poll_wait_seconds: the file is applied at each poll, whether or not it changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rests_on import rests_on
from serving_client import Client, Model, as_text, never, until
from serving_target import FLAGS as SHARED
from serving_target import Started, Target

POLL = "model_servers/server.cc:Server::PollFilesystemAndReloadConfig"
RELOAD = "model_servers/server_core.cc:ServerCore::ReloadConfig"


class Polled:
    """A server that polls its file."""

    def __init__(self, started: Started, file: Path, models: Path) -> None:
        self.started, self.file, self.models = started, file, models
        self.client: Client = started.client()

    def write(self, text: str) -> None:
        (self.file.parent / "next").write_text(text)
        (self.file.parent / "next").replace(self.file)

    def labelled(self, version: int) -> str:
        return as_text(Model("m", self.models / "m", (1, 2), {"stable": version}))

    def rests(self) -> None:
        """As every case begins: versions 1 and 2, `stable` at 1."""
        self.write(self.labelled(1))
        until(lambda: self.client.states("m").get(1) == self.client.states("m").get(2) == "AVAILABLE")
        until(lambda: self.client.resolved("m", label="stable") == 1)


@pytest.fixture(scope="module")
def process(aim: Target, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polled]:
    folder = tmp_path_factory.mktemp("polled")
    file = folder / "models.config"
    file.write_text(as_text(Model("m", models / "m", (1, 2), {"stable": 1})))
    started = aim.start(folder, f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=1", *SHARED)
    try:
        yield Polled(started, file, models)
    finally:
        started.stop()


@pytest.fixture
def polled(process: Polled) -> Polled:
    process.rests()
    return process


@rests_on(POLL)
def test_a_changed_file_is_applied(polled: Polled) -> None:
    polled.write(polled.labelled(2))
    until(lambda: polled.client.resolved("m", label="stable") == 2)


@rests_on(POLL, RELOAD)
def test_a_file_that_did_not_change_undoes_a_reload(polled: Polled) -> None:
    polled.client.reload(Model("m", polled.models / "m", (1, 2), {"stable": 2}))
    until(lambda: polled.client.resolved("m", label="stable") == 1)


@rests_on(POLL, "sources/storage_path/file_system_storage_path_source.cc:FileSystemStoragePathSource::UpdateConfig")
def test_a_model_that_left_the_file_is_unloaded(polled: Polled) -> None:
    polled.write(as_text(Model("other", polled.models / "m", (1,))))
    polled.client.await_states("m", {1: "END", 2: "END"})
    polled.client.await_states("other", {1: "AVAILABLE"})


@rests_on(POLL, "util/proto_util.h:ParseProtoTextFile")
@pytest.mark.parametrize("text", ["model_config_list { config {", "", "# a comment alone\n", "nonsense: 1"])
def test_a_file_that_holds_no_config_keeps_the_old_one_and_is_told(polled: Polled, text: str) -> None:
    before = len(polled.started.err)
    polled.write(text)
    told = ("Failed to read ModelServerConfig file", "Cannot transition to requested config")
    until(lambda: any(words in polled.started.err[before:] for words in told), 20, lambda: polled.started.err[before:])
    assert polled.client.resolved("m", label="stable") == 1
    assert polled.client.predict({"x": 2.0}, name="m").outputs["y"].float_val[:] == [4.0]


@rests_on(POLL)
def test_a_file_that_went_away_keeps_the_old_config(polled: Polled) -> None:
    polled.file.unlink()
    never(lambda: polled.client.resolved("m", label="stable") != 1, 2.2)


@rests_on(POLL, RELOAD)
def test_a_file_that_is_refused_keeps_the_old_labels_and_is_told(polled: Polled) -> None:
    before = len(polled.started.err)
    polled.write(as_text(Model("m", polled.models / "m", (1, 2), {"stable": 9})))
    words = "PollFilesystemAndReloadConfig failed to ReloadConfig: Request to assign label to version 9 of model m"
    until(lambda: words in polled.started.err[before:], 20, lambda: polled.started.err[before:])
    assert polled.client.resolved("m", label="stable") == 1
