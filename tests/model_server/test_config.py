"""A ModelServerConfig to the models of the core, and what a reload with one refuses."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import text_format

from ferryman.model_server.config import models_of, reload
from ferryman.model_server.core import NAMES, Model, Policy, Refusal, State
from ferryman.serving.protocol import ModelServerConfig


class Recording:
    """Servables that remember what they were told to hold."""

    def __init__(self, *models: Model) -> None:
        self.state = State(models=models)
        self.told: list[tuple[Model, ...]] = []

    def reload(self, models: tuple[Model, ...]) -> None:
        self.told.append(models)


def config(text: str) -> Any:
    return text_format.Parse(text, ModelServerConfig())


def listed(*models: str) -> Any:
    return config(f"model_config_list {{ {' '.join(f'config {{ {model} }}' for model in models)} }}")


def refused(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return NAMES[caught.value.code], caught.value.text


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Policy("latest", 1)),
        ("latest {}", Policy("latest", 1)),
        ("latest { num_versions: 3 }", Policy("latest", 3)),
        ("all {}", Policy("all")),
        ("specific { versions: 42 versions: 41 }", Policy("specific", versions=(41, 42))),
    ],
)
def test_each_version_policy_is_taken_over(text: str, policy: Policy) -> None:
    written = f"name: 'm' base_path: '/m' model_platform: 'tensorflow' model_version_policy {{ {text} }}"
    assert models_of(listed(written)) == (Model("m", "/m", policy),)


def test_labels_come_in_the_order_of_their_names() -> None:
    names = ["stable", "canary", "previous", "best", "a", "z", "last"]
    labels = " ".join(f"version_labels {{ key: '{name}' value: {number} }}" for number, name in enumerate(names))
    (model,) = models_of(listed(f"name: 'm' {labels}"))
    assert model.labels == tuple(sorted((name, number) for number, name in enumerate(names)))


def test_the_type_of_older_configs_stands_for_the_platform() -> None:
    (model, without) = models_of(listed("name: 'm' model_type: TENSORFLOW", "name: 'n'"))
    assert (model.platform, without.platform) == ("tensorflow", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: 'm' model_type: TENSORFLOW model_platform: 'tensorflow'",
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
            "model name is m",
        ),
        ("name: 'm' model_type: OTHER", "ModelServerConfig::model_type choice 2 not supported."),
    ],
)
def test_a_platform_that_is_given_twice_or_not_known_is_refused(text: str, told: str) -> None:
    assert refused(models_of, listed(text)) == ("INVALID_ARGUMENT", told)


def test_request_logs_are_refused_after_the_models_were_taken_over() -> None:
    servables = Recording()
    told = refused(reload, servables, listed("name: 'm' logging_config {}"))
    assert told == ("INVALID_ARGUMENT", "No request-logger-creator provided.")
    assert [model.name for (model,) in servables.told] == ["m"]


def test_a_config_without_a_list_changes_nothing_and_is_refused_where_models_serve() -> None:
    idle, busy = Recording(), Recording(Model("m", "/m"))
    reload(idle, config("# nothing yet"))
    for text in ("", "custom_model_config {}"):
        code, told = refused(reload, busy, config(text))
        assert code == "FAILED_PRECONDITION"
        assert told.startswith("Cannot transition to requested config.")
    assert idle.told == busy.told == []


def test_an_empty_list_is_a_config() -> None:
    servables = Recording(Model("m", "/m"))
    reload(servables, config("model_config_list {}"))
    assert servables.told == [()]
