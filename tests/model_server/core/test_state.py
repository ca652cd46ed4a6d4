"""What a server answers from its state: versions, status, and what a wait found."""

from __future__ import annotations

import pytest
from core_states import aspired, begun, listed, model, run, with_versions

from ferryman.model_server import core
from ferryman.model_server.core import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    UNKNOWN,
    Action,
    Awaited,
    Refusal,
    Version,
    reload,
    resolve,
    status,
    unavailable,
)

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
    assert [version.number for version in status(state, "m", None)] == [42, 41]
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


# Waiting


def heard(*versions: Version) -> Awaited:
    return Awaited(frozenset({"a", "b"}), tuple(sorted(versions)))


def test_waiting_ends_when_every_name_has_a_version_that_is_available_or_ended() -> None:
    one = Version("a", 41, "AVAILABLE")
    assert heard(one).reached() is None
    assert heard(one, Version("b", 1, "LOADING")).reached() is None
    assert heard(one, Version("b", 1, "END")).reached() == (one, Version("b", 1, "END"))
    assert Awaited(frozenset()).reached() == ()


def test_the_highest_version_that_is_available_or_ended_decides_even_when_a_lower_one_serves() -> None:
    bad = Version("a", 42, "END", NOT_FOUND, "no such file")
    one = Version("b", 1, "AVAILABLE")
    assert heard(Version("a", 41, "END"), Version("a", 42, "AVAILABLE"), one).reached() == (
        Version("a", 42, "AVAILABLE"),
        one,
    )
    reached = heard(Version("a", 41, "AVAILABLE"), bad, Version("a", 43, "LOADING"), one).reached()
    assert reached is not None
    error = unavailable(reached, "model")
    assert error is not None
    assert error.code == UNKNOWN
    assert error.text == (
        "1 model(s) did not become available: {{{name: a version: 42} due to error: NOT_FOUND: no such file}, }"
    )
    assert unavailable((Version("a", 42, "AVAILABLE"),), "model") is None


def test_a_version_that_went_without_an_error_is_named_without_one() -> None:
    error = unavailable((Version("a", 1, "END"), Version("b", 2, "END", UNKNOWN, "bad")), "servable")
    assert error is not None
    assert error.text == (
        "2 servable(s) did not become available: {{{name: a version: 1}}, {{name: b version: 2} due to error: UNKNOWN: bad}, }"
    )


def test_a_reload_hears_only_what_happens_after_it_began() -> None:
    before = with_versions(listed(model()), v41="AVAILABLE")
    awaited = Awaited(frozenset({"m"})).hear(before, before.publish(Version("m", 42, "LOADING")))
    assert awaited.heard == (Version("m", 42, "LOADING"),)
    assert awaited.reached() is None


def test_a_name_that_comes_back_before_the_manager_saw_it_go_has_nothing_to_be_waited_for() -> None:
    state = with_versions(listed(model(versions=(41,))), v41="AVAILABLE")
    state, _, _ = reload(state, ())
    state, fresh, _ = reload(state, (model(versions=(41,)),))
    assert fresh == {"m"}
    after, log = run(aspired(state, "m", 41))
    assert log == []
    assert after.shown == state.shown


def test_a_name_that_comes_back_while_its_version_goes_ends_the_wait_with_that_end() -> None:
    state = with_versions(listed(model(versions=(41,))), v41="AVAILABLE")
    state, _, _ = reload(state, ())
    state = core.tick(state)
    going = begun(state, Action("unload", "m", 41))
    going, fresh, _ = reload(going, (model(versions=(41,)),))
    awaited = Awaited(fresh).hear(going, core.end(going, Action("unload", "m", 41)))
    assert awaited.reached() == (Version("m", 41, "END"),)
