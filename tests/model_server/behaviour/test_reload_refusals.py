"""HandleReloadConfigRequest: what it refuses, and what of it was applied all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rests_on import rests_on
from serving_client import LIMIT, Client, Model, code, refusal, server_config

RELOAD = "model_servers/server_core.cc:ServerCore::ReloadConfig"
RPC = "model_servers/model_service_impl.cc:ModelServiceImpl::HandleReloadConfigRequest"
VALIDATE = "model_servers/server_core.cc:ValidateModelConfigList"
ROUTES = "model_servers/server_core.cc:ServerCore::CreateStoragePathRoutes"


def sent(server: Client, config: Any) -> Any:
    """The answer to a reload with this ModelServerConfig as it is."""
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    return server.model.HandleReloadConfigRequest(ReloadConfigRequest(config=config), timeout=LIMIT)


@rests_on(RPC)
def test_a_reload_without_a_config_is_refused(server: Client) -> None:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    assert refusal(lambda: sent(server, ModelServerConfig())) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported",
    )


@rests_on(RPC)
def test_a_reload_with_a_custom_config_is_refused_in_the_same_words(server: Client) -> None:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    config.custom_model_config.type_url = "type.googleapis.com/other"
    assert refusal(lambda: sent(server, config))[0] == "INVALID_ARGUMENT"
    assert "Only ModelConfigList is currently supported" in refusal(lambda: sent(server, config))[1]


@rests_on(VALIDATE)
def test_a_name_listed_twice_is_refused_and_nothing_changes(server: Client, models: Path) -> None:
    twice = Model("other", models / "m", (1,)), Model("other", models / "m", (2,))
    assert refusal(lambda: server.reload(*twice)) == (
        "INVALID_ARGUMENT",
        "Illegal to list model other multiple times in config list",
    )
    assert server.resolved("m", label="stable") == 1


@rests_on(VALIDATE, "model_servers/server_core.cc:UriIsRelativePath")
@pytest.mark.parametrize("path", ["models/m", "", "./m", "../m"])
def test_a_relative_base_path_is_refused(server: Client, path: str) -> None:
    assert refusal(lambda: server.reload(Model("m", path, (1,)))) == (
        "INVALID_ARGUMENT",
        f"Expected model m to have an absolute path or URI; got base_path()={path}",
    )
    assert server.resolved("m", label="stable") == 1


@rests_on("model_servers/server_core.cc:ValidateNoModelsChangePlatforms")
def test_a_change_of_platform_is_refused(server: Client, models: Path) -> None:
    assert refusal(lambda: server.reload(Model("m", models / "m", (1,), platform="other"))) == (
        "INVALID_ARGUMENT",
        "Illegal to change a model's platform. For model m platform was tensorflow and new platform requested is other",
    )


@rests_on(ROUTES)
def test_an_unknown_platform_is_refused_after_the_labels_were_swapped(server: Client, models: Path) -> None:
    # A new name each time: the refused config stays the one against which platforms are compared.
    odd = Model("odd-one", models / "m", (1,), platform="sklearn")
    assert refusal(lambda: server.reload(Model("m", models / "m", (1, 2), {"stable": 1}), odd)) == (
        "INVALID_ARGUMENT",
        "Model odd-one requests unsupported platform sklearn",
    )
    assert code(lambda: server.resolved("m", label="canary")) == "INVALID_ARGUMENT"


@rests_on("model_servers/server_core.cc:ValidateNoModelsChangePlatforms", RELOAD)
def test_a_refused_config_is_the_one_against_which_the_next_platforms_are_compared(
    server: Client, models: Path
) -> None:
    assert code(lambda: server.reload(Model("kept", models / "m", (1,), platform="torch"))) == "INVALID_ARGUMENT"
    assert refusal(lambda: server.reload(Model("kept", models / "m", (1,)))) == (
        "INVALID_ARGUMENT",
        "Illegal to change a model's platform. For model kept platform was torch and new platform requested is tensorflow",
    )


@rests_on("model_servers/server_core.cc:GetPlatform")
def test_the_old_field_model_type_still_names_the_platform(server: Client, models: Path) -> None:
    config = server_config(Model("m", models / "m", (1, 2), platform=""))
    config.model_config_list.config[0].model_type = 1
    assert sent(server, config).status.error_code == 0


@rests_on("model_servers/server_core.cc:GetPlatform")
def test_both_model_type_and_platform_are_refused(server: Client, models: Path) -> None:
    config = server_config(Model("m", models / "m", (1, 2)))
    config.model_config_list.config[0].model_type = 1
    assert refusal(lambda: sent(server, config)) == (
        "INVALID_ARGUMENT",
        "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
        "model name is m",
    )


@rests_on("model_servers/grpc_status_util.cc:ToGRPCStatus")
def test_a_long_refusal_of_a_reload_is_cut_at_1024_bytes(server: Client) -> None:
    name = "n" * 1500
    whole = f"Expected model {name} to have an absolute path or URI; got base_path()=x"
    assert refusal(lambda: server.reload(Model(name, "x", (1,)))) == (
        "INVALID_ARGUMENT",
        whole[:1024] + "...TRUNCATED",
    )
