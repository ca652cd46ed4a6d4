"""Which folders are versions, which of them a policy loads, and in which order versions come and go."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import saved_models
from rests_on import rests_on
from serving_client import Client, Model, code, never, until

SOURCE = "sources/storage_path/file_system_storage_path_source.cc"
PARSE = f"{SOURCE}:ParseVersionNumber"
LATEST = f"{SOURCE}:AspireLatestVersions"
ALL = f"{SOURCE}:AspireAllVersions"
SPECIFIC = f"{SOURCE}:AspireSpecificVersions"
FAST = f"{SOURCE}:AspireSpecificVersionsFastPath"
POLL = f"{SOURCE}:PollFileSystemForServable"
POLICY = "core/availability_preserving_policy.cc:AvailabilityPreservingPolicy::GetNextAction"
ASPIRE = "core/aspired_versions_manager.cc:AspiredVersionsManager::ProcessAspiredVersionsRequest"
FLUSH = "core/aspired_versions_manager.cc:AspiredVersionsManager::FlushServables"

POLLED = 2.3
"""Seconds after which a poll every second and the manager's loop have certainly gone by."""


def put(models: Path, base: Path, *names: str) -> Path:
    """Copies of version 1 of `m` under these names, each there at once."""
    base.mkdir(exist_ok=True)
    for name in names:
        shutil.copytree(models / "m" / "1", base / ".coming")
        (base / ".coming").rename(base / name)
    return base


def serving(server: Client, name: str) -> set[int]:
    return {version for version, state in server.states(name).items() if state == "AVAILABLE"}


# Names and policies


@rests_on(PARSE, ALL)
def test_a_folder_is_a_version_when_its_name_is_a_64_bit_integer(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "007", "+8", "-3", "9223372036854775807")
    put(models, base, "tmp.5", "5.tmp", "1_0", "0x9", "v4", "9223372036854775808", "٣")
    server.reload(m, Model(scratch.name, base, policy="all"))
    until(lambda: len(serving(server, scratch.name)) == 4)
    never(lambda: server.states(scratch.name).keys() != {7, 8, -3, 9223372036854775807}, 0.5)


@rests_on(LATEST)
@pytest.mark.parametrize(
    ("policy", "count", "loaded"), [("", 0, {9}), ("latest", 1, {9}), ("latest", 2, {5, 9}), ("latest", 7, {3, 5, 9})]
)
def test_latest_loads_the_highest_numbers_and_one_by_default(
    server: Client, m: Model, models: Path, scratch: Path, policy: str, count: int, loaded: set[int]
) -> None:
    base = put(models, scratch / "b", "3", "5", "9")
    server.reload(m, Model(scratch.name, base, policy=policy, count=count))
    until(lambda: serving(server, scratch.name) == loaded)
    assert server.states(scratch.name).keys() == loaded


@rests_on(LATEST)
def test_latest_without_a_number_is_one(server: Client, m: Model, models: Path, scratch: Path) -> None:
    base = put(models, scratch / "b", "3", "5")
    server.reload(m, Model(scratch.name, base, policy="latest", count=0))
    never(lambda: 3 in server.states(scratch.name), 0.5)


@rests_on(LATEST)
def test_numbers_are_compared_and_not_their_names(server: Client, m: Model, models: Path, scratch: Path) -> None:
    server.reload(m, Model(scratch.name, put(models, scratch / "b", "9", "10")))
    assert serving(server, scratch.name) == {10}


@rests_on(ALL)
def test_all_loads_every_version(server: Client, m: Model, models: Path, scratch: Path) -> None:
    server.reload(m, Model(scratch.name, put(models, scratch / "b", "3", "5", "9"), policy="all"))
    until(lambda: serving(server, scratch.name) == {3, 5, 9})


@rests_on(SPECIFIC, FAST)
def test_specific_loads_those_and_lists_no_others(server: Client, m: Model, models: Path, scratch: Path) -> None:
    base = put(models, scratch / "b", "3", "5", "9")
    server.reload(m, Model(scratch.name, base, (5, 3)))
    until(lambda: serving(server, scratch.name) == {3, 5})
    never(lambda: 9 in server.states(scratch.name), 0.5)


@rests_on(SPECIFIC)
def test_a_specific_version_that_is_not_there_has_no_status_and_loads_when_it_comes(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "3")
    server.reload(m, Model(scratch.name, base, (3, 6)))
    assert server.states(scratch.name) == {3: "AVAILABLE"}
    put(models, base, "6")
    until(lambda: serving(server, scratch.name) == {3, 6})


@rests_on(SPECIFIC)
def test_a_specific_version_that_is_not_there_lets_no_other_in(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    server.reload(m, Model(scratch.name, put(models, scratch / "b", "3", "5", "9"), (3, 6)))
    never(lambda: server.states(scratch.name).keys() != {3}, 1.5)


@rests_on(SPECIFIC)
def test_specific_finds_a_version_by_its_number_whatever_its_folder_is_called(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    server.reload(m, Model(scratch.name, put(models, scratch / "b", "0012"), (12,)))
    assert serving(server, scratch.name) == {12}


@rests_on(f"{SOURCE}:IndexChildrenByVersion")
def test_of_two_folders_of_one_number_the_last_name_is_loaded(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    saved_models.line(scratch / "b" / "01", 0.5, 10.0)
    saved_models.line(scratch / "b" / "1", 0.5, 20.0)
    server.reload(m, Model(scratch.name, scratch / "b"))
    assert server.predict({"x": 2.0}, name=scratch.name).outputs["y"].float_val[:] == [21.0]


# What a poll finds


@rests_on(POLL, LATEST)
def test_a_new_highest_version_loads_and_then_the_old_one_goes(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "3")
    server.reload(m, Model(scratch.name, base))
    put(models, base, "4")
    server.await_states(scratch.name, {3: "END", 4: "AVAILABLE"})


@rests_on(POLL, LATEST)
def test_the_end_of_the_highest_version_brings_back_the_one_before(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "3", "4")
    server.reload(m, Model(scratch.name, base))
    shutil.rmtree(base / "4")
    server.await_states(scratch.name, {3: "AVAILABLE", 4: "END"})


@rests_on(SPECIFIC, FAST)
def test_a_served_version_whose_folder_is_deleted_is_unloaded(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "3", "4")
    server.reload(m, Model(scratch.name, base, (3, 4)))
    until(lambda: serving(server, scratch.name) == {3, 4})
    shutil.rmtree(base / "3")
    server.await_states(scratch.name, {3: "END", 4: "AVAILABLE"})


@rests_on(POLL)
def test_a_base_path_that_is_deleted_whole_keeps_being_served_and_an_emptied_one_does_not(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    deleted, emptied = put(models, scratch / "d", "3"), put(models, scratch / "e", "3")
    server.reload(m, Model("deleted", deleted, (3,)), Model("emptied", emptied, (3,)))
    shutil.rmtree(emptied / "3")
    server.await_states("emptied", {3: "END"})
    deleted.rename(scratch / "gone")
    never(lambda: server.states("deleted") != {3: "AVAILABLE"}, POLLED)
    (scratch / "gone").rename(deleted)


# Order


@rests_on(POLICY)
def test_with_two_versions_that_are_not_wanted_the_lowest_goes_before_the_new_one_is_there(
    server: Client, models: Path, scratch: Path
) -> None:
    (scratch / "b" / "3").mkdir(parents=True)
    put(models, scratch / "b", "1", "2")
    server.reload(Model("m", models / "m", (1, 2)), Model(scratch.name, scratch / "b", (1, 2)))
    until(lambda: serving(server, scratch.name) == {1, 2})
    server.reload(Model("m", models / "m", (1, 2)), Model(scratch.name, scratch / "b", (3,)))
    # 3 never gets there, so the last one that is not wanted stays.
    server.await_states(scratch.name, {1: "END", 2: "AVAILABLE", 3: "END"})
    never(lambda: server.states(scratch.name)[2] != "AVAILABLE", 0.5)


@rests_on(POLICY)
def test_the_only_version_stays_while_the_new_one_cannot_load(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "3")
    server.reload(m, Model(scratch.name, base))
    (base / "4").mkdir()
    server.await_states(scratch.name, {3: "AVAILABLE", 4: "END"})
    never(lambda: server.states(scratch.name)[3] != "AVAILABLE", 0.5)


@rests_on(POLICY)
def test_versions_that_are_wanted_no_more_go_when_another_wanted_one_is_ready(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = put(models, scratch / "b", "1", "2")
    server.reload(m, Model(scratch.name, base, (1, 2)))
    until(lambda: serving(server, scratch.name) == {1, 2})
    server.reload(m, Model(scratch.name, base, (2,)))
    server.await_states(scratch.name, {1: "END", 2: "AVAILABLE"})


@rests_on(POLICY, f"{SOURCE}:FileSystemStoragePathSource::UnaspireServables")
def test_the_lowest_version_of_a_model_that_goes_is_unloaded_first(server: Client, models: Path) -> None:
    server.reload()
    seen = set()
    while (states := server.states("m"))[1] != "END" or states[2] != "END":
        seen.add((states[1], states[2]))
    assert ("AVAILABLE", "END") not in seen


# Failed versions


@rests_on(ASPIRE)
def test_a_failed_version_is_not_tried_again_while_it_stays_wanted_even_when_it_became_complete(
    server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = scratch / "b"
    (base / "3").mkdir(parents=True)
    assert code(lambda: server.reload(m, Model(scratch.name, base, (3,)))) == "UNKNOWN"
    (base / "3").rmdir()
    shutil.copytree(models / "m" / "1", base / "3")
    never(lambda: server.states(scratch.name) != {3: "END"}, POLLED)
    server.reload(m, Model(scratch.name, base, (3,)))
    never(lambda: server.states(scratch.name) != {3: "END"}, POLLED)


@pytest.fixture
def failed(server: Client, m: Model, models: Path, scratch: Path) -> Path:
    """The folder of a model whose versions 2 and 3 are wanted: 2 serves, 3 failed, and its folder is gone since then."""
    base = put(models, scratch / "b", "2")
    server.reload(m, Model(scratch.name, base, (2, 3)))
    (base / "3").mkdir()
    server.await_states(scratch.name, {2: "AVAILABLE", 3: "END"})
    (base / "3").rmdir()
    return base


@rests_on(ASPIRE, FLUSH)
def test_a_failed_version_loads_after_a_reload_without_it_and_one_with_it(
    server: Client, m: Model, models: Path, scratch: Path, failed: Path
) -> None:
    put(models, failed, "3")
    server.reload(m, Model(scratch.name, failed, (2,)))
    time.sleep(POLLED)
    server.reload(m, Model(scratch.name, failed, (2, 3)))
    server.await_states(scratch.name, {2: "AVAILABLE", 3: "AVAILABLE"})


@rests_on(ASPIRE, FLUSH)
def test_a_failed_version_whose_folder_went_away_for_a_poll_is_tried_again(
    server: Client, models: Path, scratch: Path, failed: Path
) -> None:
    time.sleep(POLLED)
    put(models, failed, "3")
    server.await_states(scratch.name, {2: "AVAILABLE", 3: "AVAILABLE"})
