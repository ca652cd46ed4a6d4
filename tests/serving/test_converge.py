"""The agent's rules: the first that applies is the act. `seen` starts from a server where all is as it should be."""

from __future__ import annotations

from typing import Any

import pytest

from ferryman.serving.converge import Act, Observed, Seen, converge
from ferryman.serving.record import GroupRecord, ModelPart, Released, Targets, allowed_answers, attitude, targets

AVAILABLE = Seen("AVAILABLE")
FAILED = Seen("END", "no such file")


def want(*wanted: int, label: int | None = 1, required: Any = None, tombstones: Any = ()) -> Targets:
    return Targets(
        wanted=frozenset(wanted),
        required=frozenset(wanted if required is None else required),
        label=label,
        tombstones=frozenset(tombstones),
    )


def seen(**changes: Any) -> Observed:
    """Version 1 is loaded, proven, labelled and in the start-up file."""
    settled: dict[str, Any] = {
        "listening": True,
        "startup": 1,
        "aspired": frozenset({1}),
        "label_config": 1,
        "versions": {1: AVAILABLE},
        "label": 1,
        "proven": frozenset({1}),
    }
    found: dict[str, Any] = {
        key: frozenset(value) if isinstance(value, set) else value for key, value in {**settled, **changes}.items()
    }
    return Observed(**found)


def reload(*versions: int, label: int | None) -> tuple[str, frozenset[int], int | None]:
    return "reload", frozenset(versions), label


def act(wanted: Targets, found: Observed) -> tuple[str, frozenset[int], int | None]:
    done = converge(wanted, found)
    return done.kind, done.versions, done.label


def test_ok_is_said_only_when_everything_is_as_wanted() -> None:
    assert converge(want(1), seen()) == Act("ok")


def test_where_the_stable_version_itself_is_bad_whatever_must_leave_leaves_before_that_is_told() -> None:
    both = seen(aspired={1, 2}, versions={1: FAILED, 2: AVAILABLE}, broken={1: "torn"}, label=None)
    assert act(want(1, tombstones=[2]), both) == reload(1, label=1)
    gone = seen(aspired={1}, versions={1: FAILED, 2: Seen("END")}, broken={1: "torn"}, label=None)
    assert converge(want(1, tombstones=[2]), gone) == Act("bad", frozenset({1}), why="version 1 cannot be loaded: torn")


def test_the_version_that_still_answers_in_the_place_of_a_bad_one_stays() -> None:
    reverting = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, label=2, label_config=2, disproven={1: "x"})
    assert converge(want(1, tombstones=[2]), reverting) == Act("bad", frozenset({1}), why="version 1: x")


def test_a_server_that_starts_is_waited_for() -> None:
    assert converge(want(1), seen(listening=False, exited=False, startup=None)).kind == "wait"


@pytest.mark.parametrize("startup", [None, 2])
def test_before_a_server_starts_its_file_names_the_stable_version_and_no_other(startup: int | None) -> None:
    down = seen(listening=False, exited=True, startup=startup)
    assert act(want(1, 2), down) == ("write_startup", frozenset(), 1)
    assert converge(want(1, 2), seen(listening=False, exited=True)).kind == "start"


def test_a_server_starts_from_an_empty_file_while_nothing_is_committed() -> None:
    down = seen(listening=False, exited=True, startup=None)
    assert converge(want(2, label=None), down).kind == "start"


def test_a_stable_version_with_torn_files_is_taken_out_of_the_file_before_the_start() -> None:
    down = seen(listening=False, exited=True, startup=1, broken={1: "torn"})
    assert act(want(1), down) == ("write_startup", frozenset(), None)
    assert converge(want(1), seen(listening=False, exited=True, startup=None, broken={1: "torn"})).kind == "start"


def test_a_candidate_is_loaded_beside_the_stable_version_with_the_label_where_it_is() -> None:
    assert act(want(1, 2), seen()) == reload(1, 2, label=1)


def test_what_is_loaded_and_not_wanted_stays_in_the_list_while_something_loads() -> None:
    loaded = seen(aspired={1, 3}, versions={1: AVAILABLE, 3: AVAILABLE})
    assert act(want(1, 2, tombstones=[3]), loaded) == reload(1, 2, 3, label=1)


def test_a_list_that_somebody_else_gave_is_sent_again_whole_before_anything_is_said() -> None:
    unknown = seen(aspired=None, label_config=None, versions={1: AVAILABLE, 4: Seen("UNLOADING"), 5: Seen("LOADING")})
    assert act(want(1), unknown) == reload(1, 5, label=1)


def test_the_first_load_of_a_model_has_no_label() -> None:
    bare = seen(startup=None, aspired=set(), label_config=None, versions={}, label=None, proven=set())
    assert act(want(2, label=None), bare) == reload(2, label=None)


def test_after_a_bare_start_the_committed_version_is_loaded_before_the_label_is_asked_for() -> None:
    bare = seen(aspired=set(), label_config=None, versions={}, label=None, proven=set())
    assert act(want(1), bare) == reload(1, label=None)
    loading = seen(label_config=None, versions={1: Seen("LOADING")}, label=None, proven=set())
    assert converge(want(1), loading).kind == "wait"


@pytest.mark.parametrize("state", ["START", "LOADING", "UNLOADING"])
def test_what_is_not_available_yet_is_waited_for(state: str) -> None:
    assert converge(want(1), seen(versions={1: Seen(state)})).kind == "wait"


def test_a_candidate_that_does_not_load_is_bad_with_the_servers_words() -> None:
    done = converge(want(1, 2), seen(aspired={1, 2}, versions={1: AVAILABLE, 2: FAILED}))
    assert (done.kind, done.why) == ("bad", "version 2 does not load: no such file")


def test_a_stable_version_that_failed_is_taken_off_the_list_and_put_back_once_it_is_forgotten() -> None:
    failed = seen(versions={1: FAILED}, label=None)
    assert act(want(1), failed) == reload(label=1)
    off = seen(aspired=set(), versions={1: FAILED}, label=None, resting={1})
    assert converge(want(1), off).kind == "wait"
    forgotten = seen(aspired=set(), versions={1: FAILED}, label=None)
    assert act(want(1), forgotten) == reload(1, label=1)


def test_what_is_taken_off_for_a_retry_leaves_the_others_loaded() -> None:
    failed = seen(aspired={1, 2}, versions={1: FAILED, 2: AVAILABLE}, label=None)
    assert act(want(1, 2), failed) == reload(2, label=1)


def test_a_way_back_that_fails_to_load_blocks_nothing() -> None:
    failed = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: FAILED})
    assert converge(want(1, 2, required=[1]), failed) == Act("ok")


def test_a_version_is_proven_before_the_label_moves_to_it() -> None:
    moving = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE})
    assert act(want(1, 2, label=2, required=[2]), moving) == ("prove", frozenset({2}), None)
    proven = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, proven={1, 2})
    assert act(want(1, 2, label=2, required=[2]), proven) == reload(1, 2, label=2)


def test_wrong_golden_answers_are_bad_and_the_label_stays() -> None:
    wrong = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, disproven={2: "value differs"})
    done = converge(want(1, 2), wrong)
    assert (done.kind, done.why) == ("bad", "version 2: value differs")


def test_a_candidate_is_proven_before_the_stable_version_that_cannot_be_loaded_is_told() -> None:
    torn = {"startup": None, "label": None, "label_config": None, "broken": {1: "files are lost"}}
    loaded = seen(aspired={2}, versions={2: AVAILABLE}, proven=set(), **torn)
    assert act(want(1, 2), loaded) == ("prove", frozenset({2}), None)
    proven = seen(aspired={2}, versions={2: AVAILABLE}, proven={2}, **torn)
    assert converge(want(1, 2), proven) == Act("bad", frozenset({1}), why="version 1 cannot be loaded: files are lost")
    wrong = seen(aspired={2}, versions={2: AVAILABLE}, disproven={2: "value differs"}, **torn)
    assert converge(want(1, 2), wrong) == Act("bad", frozenset({2}), why="version 2: value differs")


def test_torn_files_are_bad_and_are_never_loaded() -> None:
    done = converge(want(1, 2), seen(broken={2: "weights.bin is altered"}))
    assert (done.kind, done.why) == ("bad", "version 2 cannot be loaded: weights.bin is altered")


def test_a_label_that_was_sent_but_does_not_answer_yet_is_sent_again() -> None:
    sent = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, proven={1, 2}, label_config=2, label=1)
    assert act(want(1, 2, label=2, required=[2]), sent) == reload(1, 2, label=2)


def test_the_start_up_file_changes_only_after_the_label_has_answered() -> None:
    moved = seen(aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, proven={1, 2}, label_config=2, label=2)
    wanted = want(2, label=2, tombstones=[1])
    assert act(wanted, moved) == ("write_startup", frozenset(), 2)


def test_a_drop_comes_last_and_by_tombstone_only() -> None:
    moved = seen(startup=2, aspired={1, 2}, versions={1: AVAILABLE, 2: AVAILABLE}, proven={2}, label_config=2, label=2)
    assert act(want(2, label=2, tombstones=[1]), moved) == reload(2, label=2)
    assert converge(want(2, label=2), moved) == Act("ok")


def test_ok_waits_until_what_was_dropped_is_gone() -> None:
    leaving = seen(versions={1: AVAILABLE, 2: Seen("UNLOADING")})
    assert converge(want(1, tombstones=[2]), leaving).kind == "wait"
    assert converge(want(1, tombstones=[2]), seen(versions={1: AVAILABLE, 2: Seen("END")})) == Act("ok")


def test_a_dropped_candidate_of_a_first_release_leaves_an_empty_list_and_no_label() -> None:
    first = seen(startup=None, aspired={2}, label_config=None, versions={2: AVAILABLE}, label=None, proven={2})
    assert act(want(label=None, tombstones=[2]), first) == reload(label=None)


def names(*sets: frozenset[int]) -> list[set[int]]:
    return [set(found) for found in sets]


def version(number: int) -> Released:
    return Released(number=number, digest=f"d{number}", content=f"c{number}", release=f"r{number}")


def part(phase: Any, **changes: Any) -> ModelPart:
    """Version 2 serves, 1 served before, 3 is the candidate before a commit."""
    parts = {"stable": version(2), "previous": version(1), **changes}
    return ModelPart(phase=phase, **parts)


@pytest.mark.parametrize(
    ("phase", "first", "wanted"),
    [
        ("probe", True, {2}),
        ("roll0", True, {2, 3}),
        ("roll0", False, {2}),
        ("roll1", False, {2, 3}),
        ("load", False, {2, 3}),
        ("back", True, {2}),
    ],
)
def test_who_loads_the_candidate_depends_on_the_phase(phase: str, first: bool, wanted: set[int]) -> None:
    found = targets(part(phase, candidate=version(3), tombstones=[1, 3] if phase == "back" else [1]), first)
    assert (names(found.wanted, found.required), found.label) == ([wanted, wanted], 2)
    assert found.tombstones == ({1, 3} if phase == "back" else {1})


@pytest.mark.parametrize("phase", ["switch", "soak"])
def test_the_way_back_is_wanted_and_not_required_until_the_soak_is_over(phase: str) -> None:
    found = targets(part(phase), False)
    assert (names(found.wanted, found.required), found.label) == ([{1, 2}, {2}], 2)
    assert targets(part("finish", tombstones=[1]), False).wanted == {2}


def test_a_tombstone_never_names_what_is_wanted() -> None:
    assert targets(part("soak", tombstones=[1]), True).tombstones == frozenset()


@pytest.mark.parametrize(
    ("phase", "label", "bare"),
    [
        ("idle", {2}, {2}),
        ("probe", {2}, {2}),
        ("load", {2}, {2}),
        ("soak", {2}, {2}),
        ("finish", {2}, {2}),
        ("roll0", {2}, {2, 3}),
        ("roll1", {2}, {2, 3}),
        ("back", {2}, {2, 3}),
        ("switch", {1, 2}, {1, 2}),
        ("revert", {1, 2}, {1, 2}),
    ],
)
def test_what_may_answer_is_a_function_of_the_phase(phase: str, label: set[int], bare: set[int]) -> None:
    candidate = version(3) if phase in {"probe", "load", "roll0", "roll1", "back"} else None
    assert names(*allowed_answers(part(phase, candidate=candidate), "any")) == [label, bare]


def test_where_all_clients_use_the_label_a_candidate_never_answers_them() -> None:
    assert names(*allowed_answers(part("back", candidate=version(3)), "labelled")) == [{2}, {2}]


def test_an_agent_obeys_nothing_older_than_what_it_has_obeyed_or_promised() -> None:
    def record(epoch: int, generation: int) -> GroupRecord:
        return GroupRecord(epoch=epoch, generation=generation, replicas=["a"])

    assert attitude(None, record(3, 7), 0) == "absent"
    assert attitude(record(3, 6), record(3, 7), 0) == "older"
    assert attitude(record(2, 9), record(3, 7), 0) == "older"
    assert attitude(record(3, 8), record(3, 7), 4) == "older"
    assert attitude(record(3, 7), record(3, 7), 3) == "obey"
    assert attitude(record(4, 1), record(3, 7), 4) == "obey"
    assert attitude(record(1, 1), None, 0) == "obey"
