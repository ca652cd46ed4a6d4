"""What a reload refuses, what it changes all the same, and what it may do to labels."""

from __future__ import annotations

import pytest
from core_states import listed, model, run, statuses, with_versions

from ferryman.model_server import core
from ferryman.model_server.core import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    UNAVAILABLE,
    Model,
    Refusal,
    State,
    Status,
    Unlisted,
    reload,
    resolve,
)


def refused(state: State, *models: Model, any_new_label: bool = False) -> tuple[State, Refusal]:
    after, fresh, error = reload(state, models, any_new_label=any_new_label)
    assert error is not None
    assert not fresh
    return after, error


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
    assert (after.source, after.managed, after.shown) == (before.source, before.managed, before.shown)


def test_a_base_path_may_be_the_address_of_a_bucket() -> None:
    state, fresh, error = reload(State(), (Model("n", "gs://bucket/n"),))
    assert error is None
    assert fresh == {"n"}
    assert (state.source or ())[0].base_path == "gs://bucket/n"


def test_an_unsupported_platform_is_refused_only_after_the_labels_moved() -> None:
    before = with_versions(listed(model(stable=41)), v41="AVAILABLE", v42="AVAILABLE")
    after, error = refused(before, model(stable=42), model("n", platform="other"))
    assert error.code == INVALID_ARGUMENT
    assert after.labels == (("m", "stable", 42),)
    assert after.source == before.source


# Labels


def test_labels_are_checked_before_any_version_changes() -> None:
    before = with_versions(listed(model(versions=(41,), stable=41)), v41="AVAILABLE")
    after, error = refused(before, model(versions=(42,), stable=42))
    assert error.code == FAILED_PRECONDITION
    assert error.text == (
        "Request to assign label to version 42 of model m, which is not currently available for inference"
    )
    assert after == before._replace(config=(model(versions=(42,), stable=42),))


def test_one_models_bad_label_stops_the_change_of_another() -> None:
    before = with_versions(listed(model("a", versions=(1,), stable=1), model("b", versions=(2,))), "a", v1="AVAILABLE")
    after, error = refused(before, model("a", versions=(1,), stable=9), model("b", versions=(3,), stable=3))
    assert "version 9 of model a" in error.text
    assert after._replace(config=before.config) == before


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


def test_a_label_that_stays_where_it_is_needs_an_available_version_unless_the_flag_is_set() -> None:
    before = with_versions(listed(model(stable=41)), v41="END")
    assert refused(before, model(stable=41))[1].code == FAILED_PRECONDITION
    assert reload(before, (model(stable=41),), any_new_label=True)[2] is None


def test_the_label_of_one_model_does_not_stand_for_the_label_of_another() -> None:
    before = listed(model("a", stable=41), model("b"))
    after, _, error = reload(before, (model("a", stable=41), model("b", stable=42)), any_new_label=True)
    assert error is None
    assert after.labels == (("a", "stable", 41), ("b", "stable", 42))


def test_a_label_before_the_first_config_is_unavailable() -> None:
    with pytest.raises(Refusal, match=r"^Model labels does not init yet\.stable$") as caught:
        resolve(State(), "m", None, "stable")
    assert caught.value.code == UNAVAILABLE


# Reload and waiting


def test_only_names_that_are_new_are_waited_for() -> None:
    state, fresh, error = reload(listed(model("old")), (model("old", versions=(9,)), model("new")))
    assert error is None
    assert fresh == {"new"}
    assert [entry.policy.versions for entry in state.source or ()] == [(9,), (41, 42)]


def test_a_model_missing_from_the_list_is_torn_down_and_its_neighbour_is_not() -> None:
    state = with_versions(listed(model("a"), model("b")), "a", v41="AVAILABLE", v42="AVAILABLE")
    state = with_versions(state, "b", v41="AVAILABLE")
    state, _, error = reload(state, (model("b"),))
    assert error is None
    state, log = run(state)
    assert log == ["unload a41", "unload a42"]
    assert statuses(state, "a") == {41: "END", 42: "END"}
    assert statuses(state, "b") == {41: "AVAILABLE"}


def test_an_empty_list_unloads_everything() -> None:
    state = with_versions(listed(model()), v41="AVAILABLE", v42="AVAILABLE")
    state, _, error = reload(state, ())
    assert error is None
    state, log = run(state)
    assert log == ["unload 41", "unload 42"]
    assert state.source == ()


# The kinds of configs, platforms, logging


def test_a_server_that_has_a_list_takes_nothing_but_lists() -> None:
    for config in Unlisted:
        with pytest.raises(Refusal, match=r"^Cannot transition to requested config\.") as caught:
            core.check_transition((), config)
        assert caught.value.code == FAILED_PRECONDITION
    core.check_transition((), (model(),))


def test_a_server_without_a_config_takes_an_empty_one_and_no_custom_one() -> None:
    core.check_transition(None, Unlisted.EMPTY)
    with pytest.raises(Refusal, match="does not yet support custom"):
        core.check_transition(None, Unlisted.CUSTOM)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            Model("m", "/m", model_type=1),
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
            "model name is m",
        ),
        (Model("m", "/m", platform="", model_type=2), "ModelServerConfig::model_type choice 2 not supported."),
    ],
)
def test_the_deprecated_type_is_checked_with_the_platform(entry: Model, text: str) -> None:
    assert refused(State(), entry)[1].text == text


def test_the_deprecated_type_alone_stands_for_the_platform() -> None:
    before = listed(Model("m", "/m", platform="", model_type=1))
    assert reload(before, (model(),))[2] is None


def test_a_list_that_named_no_platform_refuses_every_list_after_it() -> None:
    broken, error = refused(listed(model()), model(), model("n", platform=""))
    assert "neither" in error.text
    again, error = refused(broken, model())
    assert "model name is n" in error.text
    assert again == broken


def test_a_platform_that_was_refused_is_what_the_next_list_is_compared_with() -> None:
    broken, _ = refused(listed(model()), model(), model("n", platform="other"))
    assert "platform was other and new platform requested is tensorflow" in refused(broken, model("n"))[1].text
    without, _, error = reload(broken, (model(),))
    assert error is None
    assert reload(without, (model("n"),))[2] is None


def test_request_logging_is_refused() -> None:
    core.check_logging((model(),))
    with pytest.raises(Refusal, match=r"^No request-logger-creator provided\.$"):
        core.check_logging((model(), model("n")._replace(logged=True)))


@pytest.mark.parametrize(("path", "absolute"), [("s3://b/m", True), ("a://b", False), ("://b", False), ("m", False)])
def test_an_address_needs_a_scheme_of_two_letters(path: str, absolute: bool) -> None:
    assert (reload(State(), (Model("m", path),))[2] is None) is absolute


def test_names_are_checked_before_paths() -> None:
    text = refused(State(), Model("a", "relative"), model("b"), model("b"))[1].text
    assert text == "Illegal to list model b multiple times in config list"


def test_the_names_that_are_new_are_those_new_to_the_source_not_to_the_last_list() -> None:
    before = with_versions(listed(model(stable=41)), v41="AVAILABLE")
    half, _ = refused(before, model(stable=42), model("new"))
    assert [entry.name for entry in half.config or ()] == ["m", "new"]
    _, fresh, error = reload(half, (model(stable=41), model("new")))
    assert error is None
    assert fresh == {"new"}
