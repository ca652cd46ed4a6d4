"""GetModelStatus: what is listed, in which state, and what is refused."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import saved_models
from rests_on import rests_on
from serving_client import Client, Model, no_model, refusal

STATUS = "model_servers/get_model_status_impl.cc:GetModelStatusImpl::GetModelStatus"
ONE_SPEC = "model_servers/get_model_status_impl.cc:GetModelStatusImpl::GetModelStatusWithModelSpec"
MONITOR = "core/servable_state_monitor.cc:ServableStateMonitor::GetVersionStates"
LABELS = "model_servers/server_core.cc:ServerCore::GetModelVersionForLabel"


@rests_on(STATUS)
def test_a_status_without_a_model_spec_is_refused(server: Client) -> None:
    assert refusal(server.status) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@rests_on(ONE_SPEC)
@pytest.mark.parametrize("name", ["nobody", "", "m/1"])
def test_a_name_that_was_never_seen_is_not_found(server: Client, name: str) -> None:
    text = f"Could not find any versions of model {name}"
    assert refusal(lambda: server.status(name=name)) == ("NOT_FOUND", text)


@rests_on(ONE_SPEC)
@pytest.mark.parametrize("version", [7, 0, -1])
def test_a_version_that_was_never_seen_is_not_found(server: Client, version: int) -> None:
    text = f"Could not find version {version} of model m"
    assert refusal(lambda: server.status(name="m", version=version)) == ("NOT_FOUND", text)


@rests_on(ONE_SPEC)
def test_a_version_of_a_name_that_was_never_seen_is_not_found_as_a_version(server: Client) -> None:
    text = "Could not find version 1 of model nobody"
    assert refusal(lambda: server.status(name="nobody", version=1)) == ("NOT_FOUND", text)


@rests_on(ONE_SPEC, MONITOR)
def test_all_versions_are_listed_from_the_highest_down_with_an_ok_status(
    server: Client, m: Model, scratch: Path
) -> None:
    server.hold(m, Model(scratch.name, m.base_path, (1, 2)))
    listed = server.status(name=scratch.name).model_version_status
    # The monitor's map is ordered by std::greater (`core/servable_state_monitor.h`, VersionMap).
    assert [entry.version for entry in listed] == [2, 1]
    assert [(entry.state, entry.status.error_code, entry.status.error_message) for entry in listed] == [(30, 0, "")] * 2


@rests_on(ONE_SPEC)
def test_a_known_version_is_listed_alone(server: Client) -> None:
    assert [entry.version for entry in server.status(name="m", version=2).model_version_status] == [2]


@rests_on(ONE_SPEC)
@pytest.mark.parametrize("label", ["stable", "unknown"])
def test_a_label_in_a_status_request_is_passed_over(server: Client, label: str) -> None:
    listed = server.status(name="m", label=label).model_version_status
    assert {1, 2} <= {entry.version for entry in listed}


@rests_on(ONE_SPEC, "core/basic_manager.cc:BasicManager::ExecuteUnload")
def test_an_unloaded_version_stays_listed_as_end_without_an_error(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (2,)))
    server.await_states("m", {1: "END", 2: "AVAILABLE"})
    (entry,) = server.status(name="m", version=1).model_version_status
    assert (entry.state, entry.status.error_code, entry.status.error_message) == (50, 0, "")


@rests_on(ONE_SPEC, "model_servers/http_rest_api_handler.cc:HttpRestApiHandler::ProcessModelStatusRequest")
def test_a_model_of_which_nothing_is_loaded_still_answers_its_status_with_200(server: Client, models: Path) -> None:
    server.reload()
    server.await_states("m", {1: "END", 2: "END"})
    answered = server.http("GET", "/v1/models/m")
    assert answered.status == 200
    assert {entry["state"] for entry in answered.body["model_version_status"]} == {"END"}


@rests_on("model_servers/http_rest_api_handler.cc:HttpRestApiHandler::ProcessModelMetadataRequest", LABELS)
def test_the_metadata_of_a_label_is_a_true_readiness_probe(server: Client, models: Path) -> None:
    path = "/v1/models/m/labels/{}/metadata"
    assert server.http("GET", path.format("stable")).status == 200
    assert server.http("GET", path.format("unknown")).status == 400
    server.reload(Model("m", models / "m", (2,), {"stable": 1}))
    server.await_states("m", {1: "END"})
    assert server.http("GET", path.format("stable")).status == 404


@rests_on(
    ONE_SPEC,
    "core/loader_harness.cc:LoaderHarness::ErrorInternal",
    "session_bundle/oss/session_bundle_util.cc:LoadSessionBundleOrSavedModelBundle",
)
def test_a_failed_load_is_listed_as_end_with_code_and_text(server: Client, m: Model, scratch: Path) -> None:
    folder = scratch / "hollow" / "5"
    folder.mkdir(parents=True)
    with pytest.raises(grpc.RpcError):
        server.reload(m, Model(scratch.name, folder.parent, (5,)))
    (entry,) = server.status(name=scratch.name).model_version_status
    assert (entry.version, entry.state, entry.status.error_code) == (5, 50, 5)
    assert entry.status.error_message == no_model(folder)


@rests_on(ONE_SPEC, "core/basic_manager.cc:BasicManager::ManageServableInternal")
def test_a_version_that_is_loaded_again_is_listed_once_and_without_its_past(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (2,)))
    server.await_states("m", {1: "END"})
    server.reload(Model("m", models / "m", (1, 2)))
    server.await_states("m", {1: "AVAILABLE", 2: "AVAILABLE"})
    assert [entry.version for entry in server.status(name="m").model_version_status].count(1) == 1


@rests_on("servables/tensorflow/saved_model_bundle_factory.cc:SavedModelBundleFactory::InternalCreateSavedModelBundle")
def test_a_model_without_its_variables_is_available_and_then_fails_every_request(
    server: Client, m: Model, scratch: Path
) -> None:
    saved_models.line(scratch / "v" / "1", 0.5, 9.0)
    for file in (scratch / "v" / "1" / "variables").iterdir():
        file.unlink()
    (scratch / "v" / "1" / "variables").rmdir()
    server.reload(m, Model(scratch.name, scratch / "v", (1,)))
    assert server.states(scratch.name) == {1: "AVAILABLE"}
    assert refusal(lambda: server.predict({"x": 1.0}, name=scratch.name))[0] == "FAILED_PRECONDITION"


@rests_on("servables/tensorflow/saved_model_bundle_factory.cc:SavedModelBundleFactory::InternalCreateSavedModelBundle")
def test_bytes_that_are_no_graph_fail_the_load_and_leave_the_server_alive(
    server: Client, m: Model, scratch: Path
) -> None:
    (scratch / "g" / "1").mkdir(parents=True)
    (scratch / "g" / "1" / "saved_model.pb").write_bytes(b"\xff no graph")
    assert refusal(lambda: server.reload(m, Model(scratch.name, scratch / "g", (1,))))[0] == "UNKNOWN"
    (entry,) = server.status(name=scratch.name).model_version_status
    assert entry.state == 50
    assert entry.status.error_code != 0


@rests_on("model_servers/grpc_status_util.cc:ToGRPCStatus")
def test_a_text_longer_than_1024_bytes_is_cut_and_says_so(server: Client) -> None:
    whole = f"Could not find any versions of model {'n' * 2000}"
    assert refusal(lambda: server.status(name="n" * 2000)) == ("NOT_FOUND", whole[:1024] + "...TRUNCATED")
    fits = "n" * (1024 - len("Could not find any versions of model "))
    assert refusal(lambda: server.status(name=fits))[1].endswith("nnn")
