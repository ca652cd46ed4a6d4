"""The config file that is applied again and again, and messages as the core's values."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from newcomer import eventually

from ferryman.model_server.config_file import ConfigFile, config_of
from ferryman.model_server.core import Config, Model, Policy, Refusal, Unlisted
from ferryman.serving.protocol import ModelServerConfig


class Servables:
    """Takes configs; refuses what it is told to."""

    def __init__(self, refuse: str = "") -> None:
        self.configs: list[Config] = []
        self.refuse = refuse

    def reload(self, config: Config) -> None:
        self.configs.append(config)
        if self.refuse:
            raise Refusal(9, self.refuse)


def polled(servables: Servables, read: Any, seconds: float = 0.01) -> ConfigFile:
    return ConfigFile(servables, Path("models.config"), read, seconds)  # type: ignore[arg-type]


def test_an_unchanged_file_is_applied_at_every_look() -> None:
    servables = Servables()
    file = polled(servables, lambda path: (Model(path.name, "/m"),))
    file.start()
    eventually(lambda: len(servables.configs) >= 3, 15)
    file.stop()
    assert servables.configs[0] == servables.configs[2] == (Model("models.config", "/m"),)


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_an_interval_it_is_never_looked_at(seconds: float) -> None:
    before = threading.active_count()
    polled(Servables(), lambda path: (), seconds).start()
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [ValueError("line 3:\n  no such field"), FileNotFoundError("gone")])
def test_a_file_that_cannot_be_read_keeps_the_old_config_and_says_so_in_one_line(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def read(path: Path) -> Config:
        raise error

    servables = Servables()
    polled(servables, read).poll()
    assert servables.configs == []
    assert caplog.messages == [f"Failed to read ModelServerConfig file: {' '.join(str(error).split())}"]


def test_a_config_that_is_refused_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    servables = Servables("Cannot transition")
    polled(servables, lambda path: Unlisted.EMPTY).poll()
    assert servables.configs == [Unlisted.EMPTY]
    assert caplog.messages == ["PollFilesystemAndReloadConfig failed to ReloadConfig: Cannot transition"]


def test_a_message_becomes_the_cores_config() -> None:
    message = ModelServerConfig()
    assert config_of(message) is Unlisted.EMPTY
    message.custom_model_config.SetInParent()
    assert config_of(message) is Unlisted.CUSTOM
    message.model_config_list.SetInParent()
    assert config_of(message) == ()
    entries = message.model_config_list.config
    plain = entries.add(name="a", base_path="/a", model_platform="tensorflow")
    plain.version_labels.update({"stable": 3, "canary": 4})
    specific = entries.add(name="b", base_path="/b", model_type=1)
    specific.model_version_policy.specific.versions.extend([7, 5])
    entries.add(name="c", base_path="/c").model_version_policy.all.SetInParent()
    entries[2].logging_config.SetInParent()
    entries.add(name="d", base_path="/d").model_version_policy.latest.num_versions = 2
    assert config_of(message) == (
        Model("a", "/a", labels=(("canary", 4), ("stable", 3))),
        Model("b", "/b", Policy("specific", versions=(5, 7)), platform="", model_type=1),
        Model("c", "/c", Policy("all"), platform="", logged=True),
        Model("d", "/d", Policy("latest", count=2), platform=""),
    )
