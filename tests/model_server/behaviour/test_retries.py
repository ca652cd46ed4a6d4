"""Loads that are tried again, with one thread's worth of loading in the manager's own loop or beside it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from rests_on import rests_on
from serving_client import Client, Model, never, until

FLAGS = ("--max_num_load_retries=2", "--load_retry_interval_micros=3000000")

RETRY = "util/retrier.cc:Retry"
LOAD = "core/loader_harness.cc:LoaderHarness::Load"
CANCEL = "core/basic_manager.cc:BasicManager::CancelLoadServableRetry"
EXECUTE = "core/basic_manager.cc:BasicManager::ExecuteLoad"


@pytest.fixture
def base(own_process: None, server: Client, m: Model, models: Path, scratch: Path) -> Path:
    """A folder whose version 2 serves under the folder's name, and whose version 3 is being tried again and again."""
    shutil.copytree(models / "m" / "1", scratch / "2")
    server.reload(m, Model(scratch.name, scratch, (2,)))
    (scratch / "3").mkdir()
    server.reload(m, Model(scratch.name, scratch, (2, 3)))
    until(lambda: state(server, scratch) == "LOADING")
    return scratch


def state(server: Client, base: Path) -> str:
    return server.states(base.name).get(3, "")


def entry(server: Client, base: Path) -> tuple[int, int, str]:
    (found,) = server.status(name=base.name, version=3).model_version_status
    return found.state, found.status.error_code, found.status.error_message


@rests_on(EXECUTE, RETRY)
def test_a_version_is_loading_while_it_is_tried_again_and_ended_after_the_last_try(server: Client, base: Path) -> None:
    began = time.monotonic()
    assert entry(server, base) == (20, 0, "")
    never(lambda: state(server, base) != "LOADING", 4.5)
    until(lambda: state(server, base) == "END")
    # Two pauses of 3 s.
    assert time.monotonic() - began > 5.0
    assert entry(server, base)[:2] == (50, 5)


@rests_on(RETRY)
def test_a_version_that_becomes_complete_while_it_is_tried_again_loads(
    server: Client, models: Path, base: Path
) -> None:
    shutil.copytree(models / "m" / "1", base / "3", dirs_exist_ok=True)
    until(lambda: state(server, base) == "AVAILABLE")
    assert entry(server, base) == (30, 0, "")


@rests_on(CANCEL, LOAD)
def test_a_load_that_fails_again_after_its_version_is_wanted_no_more_ends_with_its_own_error(
    server: Client, m: Model, base: Path
) -> None:
    began = time.monotonic()
    server.reload(m, Model(base.name, base, (2,)))
    until(lambda: state(server, base) == "END")
    # The last try is not made.
    assert time.monotonic() - began < 4.8
    assert entry(server, base)[:2] == (50, 5)


@rests_on(CANCEL, LOAD, "core/loader_harness.cc:LoaderHarness::UnloadDueToCancelledLoad")
def test_a_load_that_succeeds_after_its_version_is_wanted_no_more_ends_as_cancelled(
    server: Client, m: Model, models: Path, base: Path
) -> None:
    server.reload(m, Model(base.name, base, (2,)))
    # The poll that unaspires it comes within a second; the next try after that.
    time.sleep(1.3)
    shutil.copytree(models / "m" / "1", base / "3", dirs_exist_ok=True)
    until(lambda: state(server, base) == "END")
    assert entry(server, base) == (50, 1, "Loading of servable cancelled")


@rests_on(EXECUTE, "core/basic_manager.cc:BasicManager::LoadOrUnloadServable")
def test_with_load_threads_another_model_loads_while_one_is_tried_again(
    server: Client, models: Path, base: Path
) -> None:
    server.reload(Model("m", models / "m", (1, 2)), Model(base.name, base, (2, 3)), Model("quick", models / "m", (1,)))
    assert server.states("quick") == {1: "AVAILABLE"}
    assert state(server, base) == "LOADING"
