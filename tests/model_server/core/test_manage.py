"""The manager's steps alone: wishes, the order of actions, and the life of a version."""

from __future__ import annotations

import pytest
from core_states import aspired, begun, done, listed, model, run, statuses, wish, with_versions

from ferryman.model_server import core
from ferryman.model_server.core import CANCELLED, NOT_FOUND, Action, State, Version, next_action, resolve

LOAD = Action("load", "m", 42)

# Wishes


def test_a_failed_version_is_not_retried_while_it_is_aspired() -> None:
    state = done(aspired(listed(model()), "m", 42), LOAD, NOT_FOUND, "half a folder")
    state = core.tick(aspired(state, "m", 42))
    assert next_action(state) is None
    assert state.version("m", 42) == Version("m", 42, "END", NOT_FOUND, "half a folder")


def test_a_failed_version_that_was_dropped_for_a_tick_is_tried_anew() -> None:
    state = done(aspired(listed(model()), "m", 42), LOAD, NOT_FOUND, "half a folder")
    state = core.tick(aspired(state, "m"))
    state = aspired(state, "m", 42)
    assert state.version("m", 42) == Version("m", 42, "START")
    assert next_action(state) == LOAD


def test_a_newer_wish_that_replaces_the_drop_before_the_manager_saw_it_changes_nothing() -> None:
    state = done(aspired(listed(model()), "m", 42), LOAD, NOT_FOUND, "half a folder")
    state = core.aspire(core.aspire(state, {"m": ()}), {"m": wish(42)})
    state = core.tick(core.tick(state))
    assert next_action(state) is None
    assert statuses(state) == {42: "END"}


def test_a_model_that_the_poll_did_not_reach_stays_as_it_is() -> None:
    state = with_versions(listed(model("a"), model("b")), "a", v41="AVAILABLE")
    state = with_versions(state, "b", v42="AVAILABLE")
    state, log = run(core.aspire(state, {"b": ()}))
    assert log == ["unload b42"]
    assert statuses(state, "a") == {41: "AVAILABLE"}


def test_a_version_whose_folder_is_deleted_is_unloaded() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state, log = run(core.aspire(state, {"m": wish(42)}))
    assert log == ["unload 41"]
    assert statuses(state) == {41: "END", 42: "AVAILABLE"}


def test_a_version_aspired_again_while_it_is_to_go_goes_first_and_comes_back() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state = aspired(state, "m", 42)
    state = aspired(state, "m", 41, 42)
    assert state.pending == (("m", wish(41, 42)),)
    state, log = run(state)
    assert log == ["unload 41", "load 41"]
    assert statuses(state) == {41: "AVAILABLE", 42: "AVAILABLE"}


def test_going_back_from_a_version_that_failed_is_put_off_for_ever_while_it_stays_aspired() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE")
    state = done(aspired(state, "m", 42), LOAD, NOT_FOUND, "broken")
    for numbers in ((41, 42), (41,)):
        state, log = run(aspired(state, "m", *numbers))
        assert log == []
        assert state.aspired("m") == (42,)
        assert resolve(state, "m", None, None) == 41
    state, log = run(aspired(state, "m", 43))
    assert log == ["load 43", "unload 41"]


def test_a_version_that_nobody_started_to_load_shows_start_for_ever() -> None:
    state = aspired(aspired(listed(model()), "m", 41, 42), "m", 42)
    state = core.tick(state)
    assert statuses(state) == {41: "START", 42: "START"}
    assert state.held("m", 41) is None


def test_of_two_paths_of_one_version_the_first_is_loaded() -> None:
    state = core.tick(core.aspire(listed(model()), {"m": ((1, "/m/01"), (1, "/m/1"))}))
    assert [managed.path for managed in state.managed] == ["/m/01"]


def test_a_version_that_is_held_keeps_the_path_that_it_came_with() -> None:
    state = core.tick(core.aspire(aspired(listed(model()), "m", 1), {"m": ((1, "/elsewhere/1"),)}))
    assert [managed.path for managed in state.managed] == ["/m/1"]


# Order of actions


def test_the_highest_new_version_loads_first() -> None:
    assert run(core.aspire(listed(model()), {"m": wish(9, 10, 2)}))[1] == ["load 10", "load 9", "load 2"]


def test_the_old_version_goes_only_when_the_new_one_is_ready() -> None:
    state = aspired(with_versions(listed(model()), v41="AVAILABLE"), "m", 42)
    assert next_action(state) == LOAD
    state = begun(state, LOAD)
    assert next_action(state) is None
    state = core.end(state, LOAD)
    assert next_action(state) == Action("unload", "m", 41)


def test_the_last_ready_version_outlives_a_successor_that_fails() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE")
    state = done(aspired(state, "m", 42), LOAD, NOT_FOUND, "broken")
    assert next_action(core.tick(state)) is None
    assert resolve(state, "m", None, None) == 41
    assert next_action(aspired(state, "m")) == Action("unload", "m", 41)


def test_of_two_old_versions_the_lower_goes_before_the_new_one_is_up() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state, log = run(core.aspire(state, {"m": wish(43)}))
    assert log == ["unload 41", "load 43", "unload 42"]
    assert statuses(state) == {41: "END", 42: "END", 43: "AVAILABLE"}


def test_a_tick_does_one_thing_over_all_models_and_unloads_before_it_loads() -> None:
    state = with_versions(listed(model("a"), model("b")), "b", v41="AVAILABLE", v42="AVAILABLE")
    state = core.tick(core.aspire(state, {"a": wish(42), "b": wish(42)}))
    assert next_action(state) == Action("unload", "b", 41)
    assert run(state)[1] == ["unload b41", "load a42"]


# The life of a version


def test_a_version_that_waits_for_a_thread_shows_nothing_new() -> None:
    state = core.request(aspired(listed(model()), "m", 42), LOAD)
    assert statuses(state) == {42: "START"}
    assert next_action(state) is None
    assert statuses(core.begin(state, LOAD)) == {42: "LOADING"}


def test_a_version_that_waits_to_be_unloaded_shows_available_and_answers_nothing_new() -> None:
    state = aspired(with_versions(listed(model()), v42="AVAILABLE"), "m")
    state = core.request(state, Action("unload", "m", 42))
    assert statuses(state) == {42: "AVAILABLE"}
    assert state.ready("m") == ()


def test_a_loaded_version_answers_before_it_shows_available() -> None:
    state = core.loaded(begun(aspired(listed(model()), "m", 42), LOAD), LOAD)
    assert (resolve(state, "m", None, None), statuses(state)) == (42, {42: "LOADING"})
    assert statuses(core.announce(state, LOAD)) == {42: "AVAILABLE"}


def test_attempts_go_on_until_the_retries_are_used_up_and_the_last_error_stays() -> None:
    state = begun(aspired(listed(model()), "m", 42), LOAD)
    for text in ("first", "second"):
        state = core.failed(state, LOAD, NOT_FOUND, text, retries=2)
        assert state.version("m", 42) == Version("m", 42, "LOADING")
    state = core.failed(state, LOAD, NOT_FOUND, "third", retries=2)
    assert state.version("m", 42) == Version("m", 42, "END", NOT_FOUND, "third")


def test_a_load_that_nobody_wants_any_more_ends_cancelled_and_never_answers() -> None:
    state = aspired(begun(aspired(listed(model()), "m", 42), LOAD), "m")
    state = core.end(state, LOAD)
    assert state.version("m", 42) == Version("m", 42, "END", CANCELLED, "Loading of servable cancelled")
    assert state.ready("m") == ()


def test_an_attempt_that_fails_after_the_version_was_dropped_is_the_last_and_keeps_its_own_error() -> None:
    state = aspired(begun(aspired(listed(model()), "m", 42), LOAD), "m")
    state = core.failed(state, LOAD, NOT_FOUND, "broken", retries=5)
    assert state.version("m", 42) == Version("m", 42, "END", NOT_FOUND, "broken")


@pytest.mark.parametrize("kind", ["load", "unload"])
def test_an_action_on_a_version_that_is_not_there_for_it_is_a_bug(kind: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        core.request(listed(model()), Action(kind, "m", 42))  # type: ignore[arg-type]


def test_states_are_equal_and_hash_alike_when_they_came_about_in_different_ways() -> None:
    one = core.aspire(core.aspire(listed(model()), {"a": wish(1)}), {"b": wish(2)})
    other = core.aspire(core.aspire(listed(model()), {"b": wish(2)}), {"a": wish(1)})
    assert one == other
    assert hash(one) == hash(other)
    assert isinstance(one, State)


def test_a_version_whose_files_cannot_be_looked_through_is_never_loading() -> None:
    state = core.request(aspired(listed(model()), "m", 42), LOAD)
    state = core.unreserved(state, LOAD, NOT_FOUND, "/m/42; No such file or directory")
    shown = state.version("m", 42)
    assert shown is not None
    assert (shown.status, shown.code) == ("END", NOT_FOUND)
    assert shown.message == (
        "Error while attempting to reserve resources to load servable {name: m version: 42}: "
        "/m/42; No such file or directory"
    )
