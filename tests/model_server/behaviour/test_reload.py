"""HandleReloadConfigRequest: what it refuses, what it replaces, what it waits for and what its OK does not mean."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
import pytest
import saved_models
from rests_on import rests_on
from serving_client import LIMIT, Client, Model, code, no_model, refusal, reload_request, server_config, until

RELOAD = "model_servers/server_core.cc:ServerCore::ReloadConfig"
RPC = "model_servers/model_service_impl.cc:ModelServiceImpl::HandleReloadConfigRequest"
ADD = "model_servers/server_core.cc:ServerCore::AddModelsViaModelConfigList"
AWAIT = "model_servers/server_core.cc:ServerCore::WaitUntilModelsAvailable"
UPDATE = "sources/storage_path/file_system_storage_path_source.cc:FileSystemStoragePathSource::UpdateConfig"
POLL = "sources/storage_path/file_system_storage_path_source.cc:PollFileSystemForServable"


def sent(server: Client, config: Any) -> Any:
    """The answer to a reload with this ModelServerConfig as it is."""
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    return server.model.HandleReloadConfigRequest(ReloadConfigRequest(config=config), timeout=LIMIT)


def broken(scratch: Path, version: int = 5) -> Model:
    """A model of its own name whose one version cannot load."""
    (scratch / "broken" / str(version)).mkdir(parents=True)
    return Model(scratch.name, scratch / "broken", (version,))


# What it replaces


@rests_on(RPC, "util/status_util.cc:ToStatusProto")
def test_an_accepted_reload_says_ok_in_the_response_as_well(server: Client, models: Path) -> None:
    response = server.reload(Model("m", models / "m", (1, 2)))
    assert (response.status.error_code, response.status.error_message) == (0, "")


@rests_on(RELOAD)
def test_the_same_config_twice_changes_nothing(server: Client, models: Path) -> None:
    same = Model("m", models / "m", (1, 2), {"stable": 1, "canary": 2})
    before = [entry for entry in server.status(name="m").model_version_status if entry.version in (1, 2)]
    server.reload(same)
    server.reload(same)
    assert [entry for entry in server.status(name="m").model_version_status if entry.version in (1, 2)] == before
    assert server.resolved("m", label="canary") == 2


@rests_on(UPDATE, "sources/storage_path/file_system_storage_path_source.cc:GetDeletedServables")
def test_a_model_that_is_not_listed_is_unloaded(server: Client, models: Path) -> None:
    server.reload(Model("other", models / "m", (1,)))
    server.await_states("m", {1: "END", 2: "END"})
    assert refusal(lambda: server.predict({"x": 1.0}, name="m")) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(m)",
    )
    assert server.resolved("other") == 1


@rests_on(UPDATE)
def test_an_empty_list_unloads_everything(server: Client) -> None:
    assert server.reload().status.error_code == 0
    server.await_states("m", {1: "END", 2: "END"})


@rests_on("model_servers/server_core.cc:ServerCore::UpdateModelVersionLabelMap")
def test_a_label_that_is_not_in_the_new_config_vanishes(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (1, 2), {"stable": 1}))
    assert server.resolved("m", label="stable") == 1
    assert refusal(lambda: server.resolved("m", label="canary")) == (
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    )


@rests_on("model_servers/server_core.cc:ServerCore::UpdateModelVersionLabelMap")
def test_labels_belong_to_their_model(server: Client, models: Path) -> None:
    both = Model("m", models / "m", (1, 2), {"stable": 1}), Model("twin", models / "m", (1, 2), {"fresh": 2})
    server.reload(Model("m", models / "m", (1, 2)), Model("twin", models / "m", (1, 2)))
    server.await_states("twin", {1: "AVAILABLE", 2: "AVAILABLE"})
    server.reload(*both)
    assert server.resolved("twin", label="fresh") == 2
    assert code(lambda: server.resolved("twin", label="stable")) == "INVALID_ARGUMENT"
    assert code(lambda: server.resolved("m", label="fresh")) == "INVALID_ARGUMENT"


@rests_on("model_servers/server_core.cc:ServerCore::CreateStoragePathSourceConfig")
def test_a_model_may_move_to_another_folder_and_what_is_loaded_stays_as_it_is(
    server: Client, models: Path, scratch: Path
) -> None:
    saved_models.line(scratch / "moved" / "1", 0.5, 50.0)
    saved_models.line(scratch / "moved" / "3", 0.5, 70.0)
    server.reload(Model("m", scratch / "moved", (1, 3)))
    server.await_states("m", {1: "AVAILABLE", 2: "END", 3: "AVAILABLE"})
    assert server.predict({"x": 2.0}, name="m", version=3).outputs["y"].float_val[:] == [71.0]
    # Version 1 was aspired before and after: it is not loaded again.
    assert server.predict({"x": 2.0}, name="m", version=1).outputs["y"].float_val[:] == [3.0]


# What it waits for


@rests_on(ADD, AWAIT)
def test_a_reload_returns_only_when_a_new_name_serves(server: Client, models: Path, scratch: Path) -> None:
    server.reload(Model("m", models / "m", (1, 2)), Model(scratch.name, models / "m", (1,)))
    assert server.predict({"x": 2.0}, name=scratch.name).outputs["y"].float_val[:] == [3.0]


@rests_on(ADD, "model_servers/server_core.cc:NewModelNamesInSourceConfig")
def test_a_new_version_of_a_listed_name_is_not_waited_for(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (2,)))
    server.await_states("m", {1: "END"})
    began = time.monotonic()
    missing = Model("m", models / "m", (2, 99))
    server.reload(missing)
    assert time.monotonic() - began < 1.0
    assert 99 not in server.states("m")


@rests_on(AWAIT, ADD)
def test_a_new_name_that_cannot_load_is_unknown_with_its_error_and_the_rest_is_applied(
    server: Client, models: Path, scratch: Path
) -> None:
    bad = broken(scratch)
    kept = Model("m", models / "m", (1, 2), {"fresh": 2})
    assert refusal(lambda: server.reload(kept, bad)) == (
        "UNKNOWN",
        f"1 model(s) did not become available: {{{{{{name: {bad.name} version: 5}} due to error: NOT_FOUND: "
        f"{no_model(Path(bad.base_path) / '5')}}}, }}",
    )
    assert server.resolved("m", label="fresh") == 2
    assert server.states(bad.name) == {5: "END"}


@rests_on(RELOAD, "model_servers/server_core.cc:NewModelNamesInSourceConfig")
def test_the_same_failed_call_again_is_ok_with_the_model_still_ended(server: Client, m: Model, scratch: Path) -> None:
    bad = broken(scratch)
    assert code(lambda: server.reload(m, bad)) == "UNKNOWN"
    assert server.reload(m, bad).status.error_code == 0
    assert server.states(bad.name) == {5: "END"}


@rests_on(AWAIT)
def test_two_new_names_that_cannot_load_are_both_named(server: Client, m: Model, scratch: Path) -> None:
    first, second = broken(scratch / "a", 1), broken(scratch / "b", 2)
    first, second = Model("bad-a", first.base_path, (1,)), Model("bad-b", second.base_path, (2,))
    kind, text = refusal(lambda: server.reload(m, first, second))
    assert kind == "UNKNOWN"
    assert text.startswith("2 model(s) did not become available: {{{name: bad-a version: 1} due to error: NOT_FOUND: ")
    assert "}, {{name: bad-b version: 2} due to error: NOT_FOUND: " in text


@rests_on(POLL, "core/servable_state_monitor.cc:ServableStateMonitor::WaitUntilServablesReachStateWithTimeout")
def test_a_missing_base_path_of_a_new_name_holds_its_reload_and_every_later_one_until_it_is_there(
    server: Client, m: Model, scratch: Path
) -> None:
    late = Model(scratch.name, scratch / "late", (4,))
    assert code(lambda: server.reload(m, late, limit=1.5)) == "DEADLINE_EXCEEDED"
    # Its lock is still held: not even a refusal comes back.
    assert code(lambda: server.reload(Model("m", "relative"), limit=1.5)) == "DEADLINE_EXCEEDED"
    assert server.predict({"x": 2.0}, name="m").outputs["y"].float_val[:] == [4.0]
    saved_models.line(scratch / "arriving" / "4", 0.5, 2.0)
    (scratch / "arriving").rename(scratch / "late")
    until(lambda: server.states(late.name) == {4: "AVAILABLE"})
    assert code(lambda: server.reload(Model("m", "relative"))) == "INVALID_ARGUMENT"


@rests_on("sources/storage_path/file_system_storage_path_source.cc:PollFileSystemForConfig")
def test_a_missing_base_path_stops_discovery_for_all_models(server: Client, m: Model, scratch: Path) -> None:
    saved_models.line(scratch / "found" / "1", 0.5, 2.0)
    found = Model(scratch.name, scratch / "found", policy="all")
    gone = Model(f"{scratch.name}-gone", scratch / "gone", (1,))
    saved_models.line(scratch / "gone" / "1", 0.5, 2.0)
    server.reload(m, found, gone)
    (scratch / "gone").rename(scratch / "away")
    time.sleep(1.2)
    saved_models.line(scratch / "new", 0.5, 2.0)
    (scratch / "new").rename(scratch / "found" / "2")
    time.sleep(2.2)
    assert server.states(scratch.name) == {1: "AVAILABLE"}
    assert server.states(gone.name) == {1: "AVAILABLE"}
    (scratch / "away").rename(scratch / "gone")
    server.await_states(scratch.name, {1: "AVAILABLE", 2: "AVAILABLE"})


@rests_on(RELOAD)
def test_a_later_deadline_is_no_cancellation_and_the_order_of_reloads_is_that_of_their_arrival(
    server: Client, models: Path, scratch: Path
) -> None:
    late = Model(scratch.name, scratch / "late", (4,))
    assert code(lambda: server.reload(Model("m", models / "m", (1, 2)), late, limit=1.0)) == "DEADLINE_EXCEEDED"
    waiting = server.model.HandleReloadConfigRequest
    call = waiting.future(reload_request(Model("m", models / "m", (1, 2), {"after": 1})), timeout=LIMIT)
    time.sleep(0.3)
    assert code(lambda: server.resolved("m", label="after")) == "INVALID_ARGUMENT"
    saved_models.line(scratch / "arriving" / "4", 0.5, 2.0)
    (scratch / "arriving").rename(scratch / "late")
    assert call.result().status.error_code == 0
    assert server.resolved("m", label="after") == 1


# What comes with it


@rests_on("model_servers/model_service_impl.cc:ModelServiceImpl::RecordMetricsIncrease")
def test_each_metric_asked_for_comes_back_once_and_an_unknown_one_as_0(server: Client, models: Path) -> None:
    names = ["/tensorflow/serving/none_such", "/tensorflow/core/direct_session_runs", "/tensorflow/serving/none_such"]
    response = server.reload(Model("m", models / "m", (1, 2)), metrics=names)
    assert sorted(metric.name for metric in response.metric) == sorted(set(names))
    assert {metric.int64_value_increase for metric in response.metric if metric.name.endswith("none_such")} == {0}


@rests_on("model_servers/model_service_impl.cc:ModelServiceImpl::RecordMetricsIncrease")
def test_no_metric_comes_back_when_none_was_asked_for(server: Client, models: Path) -> None:
    assert not server.reload(Model("m", models / "m", (1, 2))).metric


@rests_on(
    "model_servers/server_core.cc:ServerCore::MaybeUpdateServerRequestLogger",
    "core/server_request_logger.cc:ServerRequestLogger::Update",
)
def test_a_logging_config_fails_the_reload_after_the_models_were_loaded(
    server: Client, models: Path, scratch: Path
) -> None:
    config = server_config(Model("m", models / "m", (1, 2)), Model(scratch.name, models / "m", (1,)))
    entry = config.model_config_list.config[1].logging_config
    entry.log_collector_config.type, entry.sampling_config.sampling_rate = "", 1.0
    assert code(lambda: sent(server, config)) == "INVALID_ARGUMENT"
    assert server.states(scratch.name) == {1: "AVAILABLE"}


@rests_on("core/aspired_versions_manager.cc:AspiredVersionsManager::ProcessAspiredVersionsRequest")
def test_requests_never_see_a_gap_while_versions_change(server: Client, models: Path) -> None:
    answers = set()
    server.reload(Model("m", models / "m", (1,)))
    server.await_states("m", {2: "END"})
    server.reload(Model("m", models / "m", (2,)))
    while server.states("m")[1] != "END":
        answers.add(server.predict({"x": 2.0}, name="m").model_spec.version.value)
    answers.add(server.predict({"x": 2.0}, name="m").model_spec.version.value)
    assert answers == {1, 2}


@rests_on("core/server_request_logger.cc:ServerRequestLogger::Update")
def test_after_all_that_the_server_still_answers(server: Client) -> None:
    try:
        assert server.predict({"x": 2.0}, name="m", label="stable").outputs["y"].float_val[:] == [3.0]
    except grpc.RpcError as error:
        pytest.fail(f"{error.code()}: {error.details()}")
