"""The server's state machine alone: no TensorFlow, no threads, no files."""

from __future__ import annotations

import pytest

from ferryman.model_server.core import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    Action,
    Model,
    Policy,
    Refusal,
    State,
    Status,
    Version,
    aspire,
    begin,
    end,
    failures,
    next_actions,
    reload,
    resolve,
    settled,
    status,
)


def model(name: str = "m", versions: tuple[int, ...] = (41, 42), platform: str = "tensorflow", **labels: int) -> Model:
    return Model(name, f"/{name}", Policy("specific", versions=versions), platform, tuple(sorted(labels.items())))


def listed(*models: Model) -> State:
    """A state whose config is `models`, nothing of them loaded."""
    state, _, error = reload(State(), models, any_new_label=True)
    assert error is None
    return state


def with_versions(state: State, name: str = "m", /, **statuses: Status) -> State:
    for number, value in statuses.items():
        state = state.put(Version(name, int(number.removeprefix("v")), value))
    return state


def states(state: State, name: str = "m") -> dict[int, str]:
    return {version.number: version.status for version in state.of(name)}


def done(state: State, action: Action, code: int = 0, message: str = "") -> State:
    return end(begin(state, action), action, code, message)


def run(state: State) -> tuple[State, list[str]]:
    """Take every action, one at a time, until none is left; what was done, in order."""
    log = []
    while actions := next_actions(state):
        state = done(state, actions[0])
        log.append(f"{actions[0].kind} {actions[0].number}")
    return state, log


def refused(state: State, *models: Model, any_new_label: bool = False) -> tuple[State, Refusal]:
    after, fresh, error = reload(state, models, any_new_label=any_new_label)
    assert error is not None
    assert not fresh
    return after, error


# Policies


def test_the_latest_policy_takes_the_highest_numbers_not_the_longest_names() -> None:
    assert Policy().choose([9, 10, 2]) == (10,)
    assert Policy("latest", count=2).choose([9, 10, 2]) == (9, 10)


def test_the_policy_for_all_takes_every_number_once_and_ascending() -> None:
    assert Policy("all").choose([9, 10, 2, 9]) == (2, 9, 10)


def test_a_specific_version_that_is_not_on_disk_is_passed_over() -> None:
    assert Policy("specific", versions=(2, 7)).choose([9, 2, 10]) == (2,)


# Which version answers


def test_an_unlabelled_request_goes_to_the_highest_ready_version_and_not_to_stable() -> None:
    state = with_versions(listed(model(stable=41)), v41="AVAILABLE", v42="AVAILABLE", v43="LOADING")
    assert resolve(state, "m", None, None) == 42
    assert resolve(state, "m", None, "stable") == 41


def test_a_version_that_is_loaded_answers_by_its_number() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    assert resolve(state, "m", 41, None) == 41


@pytest.mark.parametrize(
    ("name", "number", "label", "code", "text"),
    [
        ("", None, None, INVALID_ARGUMENT, "ModelSpec has no name specified."),
        ("other", None, None, NOT_FOUND, "Servable not found for request: Latest(other)"),
        ("m", 43, None, NOT_FOUND, "Servable not found for request: Specific(m, 43)"),
        ("m", 42, None, NOT_FOUND, "Servable not found for request: Specific(m, 42)"),
        ("m", None, "canary", INVALID_ARGUMENT, "Unrecognized servable version label: canary"),
        ("m", None, "next", NOT_FOUND, "Servable not found for request: Specific(m, 42)"),
        ("m", None, "", INVALID_ARGUMENT, "Unrecognized servable version label: "),
    ],
)
def test_a_request_that_leads_nowhere_gets_the_real_servers_code_and_text(
    name: str, number: int | None, label: str | None, code: int, text: str
) -> None:
    state = with_versions(listed(model(stable=41, next=42)), v41="AVAILABLE", v42="LOADING")
    with pytest.raises(Refusal) as caught:
        resolve(state, name, number, label)
    assert (caught.value.code, caught.value.text) == (code, text)


def test_the_label_of_one_model_is_unknown_to_another() -> None:
    state = with_versions(listed(model("a", stable=41), model("b")), "b", v41="AVAILABLE")
    with pytest.raises(Refusal, match="Unrecognized servable version label: stable"):
        resolve(state, "b", None, "stable")


# Status


def test_ended_versions_stay_listed_and_one_can_be_asked_for_alone() -> None:
    state = with_versions(listed(model()), v41="END", v42="AVAILABLE")
    assert [version.number for version in status(state, "m", None)] == [41, 42]
    assert [version.status for version in status(state, "m", 41)] == ["END"]


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("other", None, "Could not find any versions of model other"),
        ("", None, "Could not find any versions of model "),
        ("m", 43, "Could not find version 43 of model m"),
    ],
)
def test_the_status_of_what_was_never_seen_is_not_found(name: str, number: int | None, text: str) -> None:
    state = with_versions(listed(model()), v41="AVAILABLE")
    with pytest.raises(Refusal) as caught:
        status(state, name, number)
    assert (caught.value.code, caught.value.text) == (NOT_FOUND, text)


# What a reload refuses


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ((model("n"), model("n")), "Illegal to list model n multiple times in config list"),
        (
            (Model("n", "n/models"),),
            "Expected model n to have an absolute path or URI; got base_path()=n/models",
        ),
        (
            (model(platform="other"),),
            "Illegal to change a model's platform. For model m platform was tensorflow and new platform requested is other",
        ),
        ((model("n", platform="other"),), "Model n requests unsupported platform other"),
        (
            (model("n", platform=""),),
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, "
            "model name is n",
        ),
    ],
)
def test_a_bad_list_is_an_invalid_argument_and_changes_no_model(models: tuple[Model, ...], text: str) -> None:
    before = with_versions(listed(model()), v41="AVAILABLE")
    after, error = refused(before, *models)
    assert (error.code, error.text) == (INVALID_ARGUMENT, text)
    assert (after.models, after.versions) == (before.models, before.versions)


def test_a_base_path_may_be_the_address_of_a_bucket() -> None:
    state, fresh, error = reload(State(), (Model("n", "gs://bucket/n"),))
    assert error is None
    assert fresh == {"n"}
    assert state.models[0].base_path == "gs://bucket/n"


def test_an_unsupported_platform_is_refused_only_after_the_labels_moved() -> None:
    before = with_versions(listed(model(stable=41)), v41="AVAILABLE", v42="AVAILABLE")
    after, error = refused(before, model(stable=42), model("n", platform="other"))
    assert error.code == INVALID_ARGUMENT
    assert after.labels == (("m", "stable", 42),)
    assert after.models == before.models


# Labels


def test_labels_are_checked_before_any_version_changes() -> None:
    before = with_versions(listed(model(versions=(41,), stable=41)), v41="AVAILABLE")
    after, error = refused(before, model(versions=(42,), stable=42))
    assert error.code == FAILED_PRECONDITION
    assert error.text == (
        "Request to assign label to version 42 of model m, which is not currently available for inference"
    )
    assert after == before


def test_one_models_bad_label_stops_the_change_of_another() -> None:
    before = with_versions(listed(model("a", versions=(1,), stable=1), model("b", versions=(2,))), "a", v1="AVAILABLE")
    after, error = refused(before, model("a", versions=(1,), stable=9), model("b", versions=(3,), stable=3))
    assert "version 9 of model a" in error.text
    assert after == before


def test_a_label_moves_to_a_version_that_is_available_and_the_others_go_with_the_list() -> None:
    before = with_versions(listed(model(stable=41, old=40)), v41="AVAILABLE", v42="AVAILABLE")
    after, fresh, error = reload(before, (model(stable=42, canary=41),))
    assert error is None
    assert not fresh
    assert after.labels == (("m", "canary", 41), ("m", "stable", 42))


@pytest.mark.parametrize("value", ["START", "LOADING", "UNLOADING", "END"])
def test_a_version_that_is_known_but_not_available_takes_no_label(value: Status) -> None:
    before = with_versions(listed(model(stable=41)), v41="AVAILABLE", v42=value)
    _, error = refused(before, model(stable=42))
    assert error.code == FAILED_PRECONDITION


def test_a_new_label_may_point_anywhere_only_with_the_flag() -> None:
    before = listed(model())
    _, error = refused(before, model(canary=42))
    assert error.code == FAILED_PRECONDITION
    after, _, allowed = reload(before, (model(canary=42),), any_new_label=True)
    assert allowed is None
    assert after.labels == (("m", "canary", 42),)


def test_the_flag_does_not_help_a_label_that_exists() -> None:
    before = with_versions(listed(model(stable=41)), v41="AVAILABLE")
    _, error = refused(before, model(stable=42), any_new_label=True)
    assert error.code == FAILED_PRECONDITION


def test_a_label_that_stays_where_it_is_needs_nothing() -> None:
    before = with_versions(listed(model(stable=41)), v41="END")
    assert reload(before, (model(stable=41),))[2] is None


# Reload and waiting


def test_only_names_that_are_new_are_waited_for() -> None:
    state, fresh, error = reload(listed(model("old")), (model("old", versions=(9,)), model("new")))
    assert error is None
    assert fresh == {"new"}
    assert [entry.policy.versions for entry in state.models] == [(9,), (41, 42)]


def test_a_model_missing_from_the_list_is_torn_down_and_its_neighbour_is_not() -> None:
    state = with_versions(listed(model("a"), model("b")), "a", v41="AVAILABLE", v42="START")
    state = with_versions(state, "b", v41="AVAILABLE")
    state, _, error = reload(state, (model("b"),))
    assert error is None
    state, log = run(state)
    assert log == ["unload 41"]
    assert states(state, "a") == {41: "END", 42: "END"}
    assert states(state, "b") == {41: "AVAILABLE"}


def test_an_empty_list_unloads_everything() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state, _, error = reload(state, ())
    assert error is None
    state, log = run(state)
    assert log == ["unload 41", "unload 42"]
    assert state.models == ()


def test_waiting_ends_with_the_first_version_that_is_ready_or_ended() -> None:
    state = with_versions(listed(model()), v41="LOADING", v42="LOADING")
    assert not settled(state, ["m"])
    assert not settled(state, ["never seen"])
    assert settled(with_versions(state, v41="AVAILABLE"), ["m"])
    assert settled(with_versions(state, v42="END"), ["m"])
    assert not settled(with_versions(state, v42="END"), ["m", "never seen"])


def test_failures_name_the_version_and_the_code_of_models_without_a_ready_one() -> None:
    broken = listed(model("a"), model("b")).put(Version("a", 42, "END", True, NOT_FOUND, "no such file"))
    broken = with_versions(broken, "a", v41="LOADING")
    assert failures(broken, ["b", "a"]) == ["{name: a version: 42} due to error: NOT_FOUND: no such file"]
    assert failures(with_versions(broken, "a", v41="AVAILABLE"), ["a"]) == []


# Polls


def test_a_failed_version_is_not_retried_while_it_is_wanted() -> None:
    state = aspire(listed(model(versions=(42,))), {"m": [42]})
    state = done(state, Action("load", "m", 42), NOT_FOUND, "half a folder")
    state = aspire(state, {"m": [42]})
    assert next_actions(state) == ()
    assert state.version("m", 42) == Version("m", 42, "END", True, NOT_FOUND, "half a folder")


def test_a_failed_version_that_was_dropped_for_a_poll_is_tried_anew() -> None:
    state = aspire(listed(model(versions=(42,))), {"m": [42]})
    state = done(state, Action("load", "m", 42), NOT_FOUND, "half a folder")
    state = aspire(aspire(state, {"m": []}), {"m": [42]})
    assert state.version("m", 42) == Version("m", 42, "START")
    assert next_actions(state) == (Action("load", "m", 42),)


def test_a_model_that_the_poll_did_not_reach_stays_as_it_is() -> None:
    state = with_versions(listed(model("a"), model("b")), "a", v41="AVAILABLE")
    state = with_versions(state, "b", v42="AVAILABLE")
    state, log = run(aspire(state, {"b": []}))
    assert log == ["unload 42"]
    assert states(state, "a") == {41: "AVAILABLE"}


def test_a_version_whose_folder_is_deleted_is_unloaded() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state, log = run(aspire(state, {"m": [42]}))
    assert log == ["unload 41"]
    assert states(state) == {41: "END", 42: "AVAILABLE"}


def test_a_version_wanted_again_before_it_went_stays_without_a_new_load() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state = aspire(aspire(state, {"m": [42]}), {"m": [41, 42]})
    assert next_actions(state) == ()
    assert states(state) == {41: "AVAILABLE", 42: "AVAILABLE"}


def test_a_version_that_nobody_started_ends_at_once_when_it_is_no_longer_wanted() -> None:
    state = aspire(aspire(listed(model()), {"m": [41, 42]}), {"m": [42]})
    assert states(state) == {41: "END", 42: "START"}


# Order of actions


def test_the_highest_new_version_loads_first() -> None:
    state = aspire(listed(Model("m", "/m", Policy("all"))), {"m": [9, 10, 2]})
    state, log = run(state)
    assert log == ["load 10", "load 9", "load 2"]


def test_the_old_version_goes_only_when_the_new_one_is_ready() -> None:
    state = with_versions(listed(model(versions=(42,))), v41="AVAILABLE")
    state = aspire(state, {"m": [41, 42]})
    assert next_actions(state) == (Action("load", "m", 42),)
    state = begin(state, Action("load", "m", 42))
    assert next_actions(state) == ()
    state = end(state, Action("load", "m", 42))
    assert next_actions(state) == (Action("unload", "m", 41),)


def test_the_last_ready_version_outlives_a_successor_that_fails() -> None:
    state = with_versions(listed(model(versions=(42,))), v41="AVAILABLE")
    state = done(aspire(state, {"m": [41, 42]}), Action("load", "m", 42), NOT_FOUND, "broken")
    assert next_actions(state) == ()
    assert resolve(state, "m", None, None) == 41
    assert next_actions(aspire(state, {"m": []})) == (Action("unload", "m", 41),)


def test_of_two_old_versions_the_lower_goes_before_the_new_one_is_up() -> None:
    state = with_versions(listed(model(versions=(43,))), v41="AVAILABLE", v42="AVAILABLE")
    state, log = run(aspire(state, {"m": [41, 42, 43]}))
    assert log == ["unload 41", "load 43", "unload 42"]
    assert states(state) == {41: "END", 42: "END", 43: "AVAILABLE"}


def test_two_models_act_at_the_same_time_one_action_each() -> None:
    state = aspire(listed(model("a"), model("b")), {"a": [41, 42], "b": [41]})
    assert next_actions(state) == (Action("load", "a", 42), Action("load", "b", 41))


def test_a_load_that_nobody_wants_any_more_becomes_ready_and_is_then_unloaded() -> None:
    load = Action("load", "m", 42)
    state = begin(aspire(listed(model(versions=(42,))), {"m": [42]}), load)
    state, _, _ = reload(state, ())
    state, log = run(end(state, load))
    assert log == ["unload 42"]
    assert states(state) == {42: "END"}


def test_an_action_on_a_version_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(KeyError):
        begin(listed(model()), Action("load", "m", 42))
