"""The servables in threads: what loads, what is tried again, what answers meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from newcomer import eventually
from servables_bench import Bench

from ferryman.model_server.core import NOT_FOUND, Refusal


def test_a_reload_answers_only_after_its_new_model_can(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.loads.held["a/3"] = threading.Event()
    with one.reloading(one.model("a", 3)) as reload:
        one.becomes("a", {3: "LOADING"})
        assert not reload.done()
        one.loads.held["a/3"].set()
        reload.result(15)
    assert one.answering("a") == "a/3"


def test_a_new_version_of_a_model_that_is_known_is_not_waited_for(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("a", 3),))
    one.loads.held["a/4"] = threading.Event()
    one.servables.reload((one.model("a", 3, 4),))
    assert one.answering("a") == "a/3"
    one.loads.held["a/4"].set()
    one.becomes("a", {3: "AVAILABLE", 4: "AVAILABLE"})
    assert one.answering("a") == "a/4"


def test_a_version_is_closed_only_when_its_last_request_has_ended(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("a", 3), one.model("b", 8)))
    with one.servables.use("a", 3, None):
        one.servables.reload((one.model("b", 8),))
        one.becomes("a", {3: "UNLOADING"})
        with pytest.raises(Refusal, match=r"Specific\(a, 3\)"), one.servables.use("a", 3, None):
            pass
        assert one.loads.closed == []
    one.becomes("a", {3: "END"})
    assert one.loads.closed == ["a/3"]
    assert one.answering("b") == "b/8"


def test_a_load_is_tried_again_as_often_as_the_flag_says(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=2)
    one.loads.fail = {"a/3": 2}
    one.servables.reload((one.model("a", 3),))
    assert one.loads.attempts == ["a/3"] * 3
    assert one.states("a") == {3: "AVAILABLE"}


def test_a_load_that_failed_for_good_is_not_tried_again_by_later_polls(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=1)
    one.servables.reload(())
    one.loads.fail = {"a/3": 2}
    with pytest.raises(Refusal, match=r"^1 model\(s\) did not become available: .*NOT_FOUND: a/3 is broken"):
        one.servables.reload((one.model("a", 3),))
    # Another model's load proves that polls went on.
    one.servables.reload((one.model("a", 3), one.model("b", 8)))
    assert one.loads.attempts == ["a/3", "a/3", "b/8"]
    assert one.states("a") == {3: "END"}


def test_a_failed_version_is_tried_anew_after_a_reload_without_it(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=0)
    one.loads.fail = {"a/4": 1}
    one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    one.servables.reload((one.model("a", 3),))
    eventually(lambda: one.servables.state.aspired("a") == (3,), 15)
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "AVAILABLE"})


def test_a_version_that_is_dropped_is_tried_once_more_at_most(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=1000)
    one.loads.fail = {"a/4": 1000}
    one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "LOADING"})
    one.servables.reload((one.model("a", 3),))
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    ended = one.servables.state.version("a", 4)
    assert ended is not None
    assert (ended.code, ended.message) == (NOT_FOUND, "a/4 is broken")


def test_a_version_dropped_while_it_loads_is_closed_without_a_request_ever_reaching_it(
    bench: Callable[..., Bench],
) -> None:
    one = bench()
    one.loads.held["a/4"] = threading.Event()
    one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "LOADING"})
    one.servables.reload((one.model("a", 3),))
    eventually(lambda: one.servables.state.aspired("a") == (3,), 15)
    one.loads.held["a/4"].set()
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    assert one.servables.state.version("a", 4).message == "Loading of servable cancelled"  # type: ignore[union-attr]
    assert one.loads.closed == ["a/4"]
    assert one.answering("a") == "a/3"


@pytest.mark.parametrize(("threads", "other"), [(0, {}), (2, {8: "AVAILABLE"})])
def test_only_a_server_with_load_threads_loads_others_beside_a_slow_load(
    bench: Callable[..., Bench], threads: int, other: dict[int, str]
) -> None:
    one = bench(load_threads=threads)
    one.servables.reload(())
    one.loads.held["a/3"] = threading.Event()
    with one.reloading(one.model("a", 3), one.model("b", 8)) as reload:
        one.becomes("a", {3: "LOADING"})
        if other:
            one.becomes("b", other)
        else:
            one.looked("b")
            assert "b/8" not in one.loads.attempts
        one.loads.held["a/3"].set()
        reload.result(15)
    assert one.answering("b") == "b/8"


def test_requests_in_many_threads_never_meet_a_closed_version_nor_none(bench: Callable[..., Bench]) -> None:
    one = bench(poll_seconds=0.01)
    one.servables.reload((one.model("a", 1),))
    stop, wrong = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                with one.servables.use("a", None, None) as (_, loaded):
                    if loaded.name in one.loads.closed:  # type: ignore[attr-defined]
                        wrong.append(loaded.name)  # type: ignore[attr-defined]
            except Refusal as error:
                wrong.append(error.text)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for number in range(2, 12):
                one.servables.reload((one.model("a", number),))
                eventually(lambda number=number: one.states("a").get(number - 1) == "END", 15)
        finally:
            stop.set()
        for asked in asking:
            asked.result(15)
    assert wrong == []


def test_what_a_loader_throws_ends_the_version_and_not_the_server(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=0)
    one.servables.reload(())

    def broken(folder: Path) -> Any:
        raise ZeroDivisionError(f"in\n{folder.name}")

    one.servables._loads._load = broken
    with pytest.raises(Refusal, match=r"UNKNOWN: ZeroDivisionError: in 3\}"):
        one.servables.reload((one.model("a", 3),))
    one.servables._loads._load = one.loads
    one.servables.reload((one.model("a", 3), one.model("b", 8)))
    assert one.answering("b") == "b/8"


def test_a_version_that_is_no_folder_ends_without_a_load(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=2)
    one.servables.reload(())
    (one.root / "a").mkdir()
    (one.root / "a" / "3").write_bytes(b"a file")
    with pytest.raises(Refusal) as caught:
        one.servables.reload((one.model("a", 3, there=False),))
    path = one.root / "a" / "3"
    assert caught.value.text == (
        "1 model(s) did not become available: {{{name: a version: 3} due to error: FAILED_PRECONDITION: Error while "
        f"attempting to reserve resources to load servable {{name: a version: 3}}: {path}; Not a directory}}, }}"
    )
    assert one.loads.attempts == []
    one.servables.reload((one.model("b", 8),))
    assert one.answering("b") == "b/8"
