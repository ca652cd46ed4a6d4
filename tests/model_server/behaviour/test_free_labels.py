"""Labels with --allow_version_labels_for_unavailable_models: new ones may point anywhere, existing ones may not move there."""

from __future__ import annotations

from pathlib import Path

import saved_models
from rests_on import rests_on
from serving_client import Client, Model, code, refusal

MAP = "model_servers/server_core.cc:ServerCore::UpdateModelVersionLabelMap"


@rests_on(MAP)
def test_a_new_label_may_point_to_a_version_that_is_not_there_and_its_requests_are_not_found(
    server: Client, models: Path
) -> None:
    server.reload(Model("m", models / "m", (1, 2), {"stable": 1, "future": 9}))
    assert refusal(lambda: server.predict({"x": 2.0}, name="m", label="future")) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(m, 9)",
    )


@rests_on(MAP)
def test_an_existing_label_cannot_move_to_a_version_that_is_not_available(server: Client, models: Path) -> None:
    assert refusal(lambda: server.reload(Model("m", models / "m", (1, 2), {"stable": 9}))) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 9 of model m, which is not currently available for inference",
    )
    assert server.resolved("m", label="stable") == 1


@rests_on(MAP)
def test_a_label_that_was_dropped_first_is_new_again(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (1, 2)))
    server.reload(Model("m", models / "m", (1, 2), {"stable": 9}))
    assert code(lambda: server.resolved("m", label="stable")) == "NOT_FOUND"


@rests_on(MAP)
def test_a_label_at_a_missing_version_may_be_set_again_as_it_is(server: Client, models: Path) -> None:
    ahead = Model("m", models / "m", (1, 2), {"future": 9})
    server.reload(ahead)
    assert server.reload(ahead).status.error_code == 0


@rests_on(MAP)
def test_the_same_label_of_another_model_is_new_there(server: Client, m: Model, models: Path, scratch: Path) -> None:
    other = Model(scratch.name, models / "m", (1,), {"stable": 1})
    server.reload(Model("m", models / "m", (1, 2), {"stable": 1}), other)
    assert server.resolved(scratch.name, label="stable") == 1


@rests_on(MAP, "model_servers/server_core.cc:ServerCore::AddModelsViaModelConfigList")
def test_a_model_and_its_label_may_come_in_one_reload(server: Client, m: Model, scratch: Path) -> None:
    saved_models.line(scratch / "new" / "6", 0.5, 6.0)
    server.reload(m, Model(scratch.name, scratch / "new", (6,), {"stable": 6}))
    assert server.predict({"x": 2.0}, name=scratch.name, label="stable").outputs["y"].float_val[:] == [7.0]


@rests_on(MAP, "sources/storage_path/file_system_storage_path_source.cc:AspireSpecificVersions")
def test_a_server_that_holds_only_the_old_version_never_gets_the_new_one_with_its_label_moved(
    server: Client, models: Path
) -> None:
    server.reload(Model("m", models / "m", (1,), {"stable": 1}))
    server.await_states("m", {2: "END"})
    moved = Model("m", models / "m", (2,), {"stable": 2})
    for _ in range(2):
        assert code(lambda: server.reload(moved)) == "FAILED_PRECONDITION"
    # Other modules' cases share the server: what they loaded stays listed.
    states = server.states("m")
    assert (states[1], states[2]) == ("AVAILABLE", "END")


@rests_on(MAP, "core/availability_preserving_policy.cc:AvailabilityPreservingPolicy::GetNextAction")
def test_without_its_label_the_old_version_goes_and_the_label_left_behind_is_not_found(
    server: Client, models: Path
) -> None:
    server.reload(Model("m", models / "m", (2,), {"stable": 1}))
    server.await_states("m", {1: "END"})
    assert code(lambda: server.predict({"x": 2.0}, name="m", label="stable")) == "NOT_FOUND"
    assert server.http("POST", "/v1/models/m/labels/stable:predict", {"instances": [1.0]}).status == 404


@rests_on(MAP)
def test_a_late_reload_of_an_old_administrator_still_moves_the_label_back(server: Client, models: Path) -> None:
    server.reload(Model("m", models / "m", (1, 2), {"stable": 2}))
    server.reload(Model("m", models / "m", (1, 2), {"stable": 1}))
    assert server.resolved("m", label="stable") == 1
