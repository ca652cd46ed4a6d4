"""Labels: which version they may name, with and without --allow_version_labels_for_unavailable_models."""

from __future__ import annotations

from pathlib import Path

import pytest
from rests_on import rests_on
from serving_client import Client, Model, code, refusal

FLAGS = ("--allow_version_labels_for_unavailable_models=false",)

MAP = "model_servers/server_core.cc:ServerCore::UpdateModelVersionLabelMap"
RESOLVE = "model_servers/server_core.cc:ServerCore::ServableRequestFromModelSpec"
LOOK_UP = "model_servers/server_core.cc:ServerCore::GetModelVersionForLabel"


def unavailable(version: int, model: str = "m") -> tuple[str, str]:
    text = (
        f"Request to assign label to version {version} of model {model}, which is not currently available for inference"
    )
    return "FAILED_PRECONDITION", text


@pytest.fixture
def strict(own_process: None, server: Client) -> Client:
    """A server without the flag; one that runs already was started with it."""
    return server


@rests_on(MAP)
@pytest.mark.parametrize("version", [3, 0])
def test_a_label_for_a_version_that_is_not_available_is_refused(strict: Client, models: Path, version: int) -> None:
    wanted = Model("m", models / "m", (1, 2), {"stable": 1, "next": version})
    assert refusal(lambda: strict.reload(wanted)) == unavailable(version)


@rests_on(MAP)
def test_a_refused_label_leaves_all_labels_and_models_as_they_were(strict: Client, models: Path) -> None:
    moved = Model("m", models / "m", (2,), {"stable": 2, "canary": 9})
    assert refusal(lambda: strict.reload(moved, Model("other", models / "m", (1,)))) == unavailable(9)
    assert (strict.resolved("m", label="stable"), strict.resolved("m", label="canary")) == (1, 2)
    assert strict.states("m")[1] == "AVAILABLE"
    assert strict.states("other") == {}


@rests_on(MAP)
def test_a_label_of_one_model_blocks_the_change_of_another(strict: Client, models: Path) -> None:
    first = Model("m", models / "m", (1, 2), {"stable": 2})
    assert refusal(lambda: strict.reload(first, Model("new", models / "m", (1,), {"x": 1}))) == unavailable(1, "new")
    assert strict.resolved("m", label="stable") == 1


@rests_on(MAP)
def test_a_version_that_comes_with_the_same_reload_is_not_yet_available(strict: Client, models: Path) -> None:
    strict.reload(Model("m", models / "m", (1,), {"stable": 1}))
    strict.await_states("m", {2: "END"})
    both = Model("m", models / "m", (1, 2), {"stable": 2})
    assert refusal(lambda: strict.reload(both)) == unavailable(2)
    states = strict.states("m")
    assert (states[1], states[2]) == ("AVAILABLE", "END")


@rests_on(MAP)
def test_a_label_moves_to_another_version_that_is_available_and_back(strict: Client, models: Path) -> None:
    for version in (2, 1):
        strict.reload(Model("m", models / "m", (1, 2), {"stable": version}))
        assert strict.resolved("m", label="stable") == version


@rests_on(MAP)
def test_two_labels_may_name_one_version(strict: Client, models: Path) -> None:
    strict.reload(Model("m", models / "m", (1, 2), {"stable": 2, "canary": 2}))
    assert (strict.resolved("m", label="stable"), strict.resolved("m", label="canary")) == (2, 2)


@rests_on(MAP, "core/aspired_versions_manager.cc:AspiredVersionsManager::ProcessAspiredVersionsRequest")
def test_a_label_may_outlive_its_version_and_is_then_not_found(strict: Client, models: Path) -> None:
    strict.reload(Model("m", models / "m", (2,), {"stable": 1}))
    strict.await_states("m", {1: "END"})
    assert refusal(lambda: strict.predict({"x": 2.0}, name="m", label="stable")) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(m, 1)",
    )


@rests_on(RESOLVE)
def test_a_request_without_a_label_goes_to_the_highest_version_and_not_to_stable(server: Client) -> None:
    assert server.resolved("m", label="stable") == 1
    assert server.predict({"x": 2.0}, name="m").outputs["y"].float_val[:] == [4.0]
    assert server.predict({"x": 2.0}, name="m", label="stable").outputs["y"].float_val[:] == [3.0]


@rests_on(RESOLVE, "servables/tensorflow/util.cc:MakeModelSpec")
def test_an_answer_names_the_version_that_a_label_points_to_and_never_the_label(server: Client) -> None:
    spec = server.predict({"x": 2.0}, name="m", label="canary").model_spec
    assert (spec.name, spec.version.value, spec.version_label, spec.signature_name) == ("m", 2, "", "serving_default")


@rests_on(LOOK_UP)
@pytest.mark.parametrize("label", ["", "Stable", "2"])
def test_a_label_that_nobody_set_is_an_invalid_argument(server: Client, label: str) -> None:
    assert refusal(lambda: server.predict({"x": 2.0}, name="m", label=label)) == (
        "INVALID_ARGUMENT",
        f"Unrecognized servable version label: {label}",
    )


@rests_on(LOOK_UP)
def test_a_label_of_a_model_that_nobody_knows_is_an_invalid_argument_too(server: Client) -> None:
    assert code(lambda: server.predict({"x": 2.0}, name="nobody", label="stable")) == "INVALID_ARGUMENT"


@rests_on(MAP, LOOK_UP)
def test_no_label_is_left_after_an_empty_list(server: Client) -> None:
    server.reload()
    server.await_states("m", {1: "END", 2: "END"})
    assert code(lambda: server.predict({"x": 2.0}, name="m", label="stable")) == "INVALID_ARGUMENT"
