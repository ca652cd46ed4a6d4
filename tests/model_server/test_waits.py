"""What waits for what: first and later configs, looks at folders, swaps and unloads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from newcomer import eventually
from servables_bench import Bench

from ferryman.model_server.core import UNAVAILABLE, Refusal, Unlisted


def test_a_missing_base_path_stops_the_discovery_of_all_models_until_it_is_there(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("b", 8),))
    with one.reloading(one.model("a", 3, there=False), one.model("b", 8, 9)) as reload:
        one.looked("a")
        assert not reload.done()
        assert one.states("b") == {8: "AVAILABLE"}
        one.model("a", 3)
        reload.result(15)
    one.becomes("b", {8: "AVAILABLE", 9: "AVAILABLE"})


def test_a_base_path_that_vanishes_whole_unloads_nothing_but_a_version_alone_goes(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "AVAILABLE"})
    base = one.root / "a"
    base.rename(one.root / "aside")
    one.looked("a")
    assert one.answering("a") == "a/4"
    (one.root / "aside").rename(base)
    (base / "4").rmdir()
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    assert one.answering("a") == "a/3"


def test_a_swap_of_versions_waits_for_a_request_of_any_model_that_began_before_it(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("a", 3), one.model("b", 8)))
    with one.servables.use("b", None, None):
        one.servables.reload((one.model("a", 3, 4), one.model("b", 8)))
        # It answers already, and shows so only when the request of the other model has ended.
        eventually(lambda: one.answering("a") == "a/4", 15)
        assert one.states("a") == {3: "AVAILABLE", 4: "LOADING"}
    one.becomes("a", {3: "AVAILABLE", 4: "AVAILABLE"})


def test_the_first_config_is_waited_for_until_all_loads_that_it_began_have_ended(bench: Callable[..., Bench]) -> None:
    one = bench(load_threads=0)
    one.loads.held |= {"a/3": threading.Event(), "a/4": threading.Event()}
    with one.reloading(one.model("a", 3, 4)) as reload:
        one.becomes("a", {3: "LOADING", 4: "LOADING"})
        one.loads.held["a/4"].set()
        one.becomes("a", {3: "LOADING", 4: "AVAILABLE"})
        one.looked("a")
        assert not reload.done()
        one.loads.held["a/3"].set()
        reload.result(15)
    assert one.states("a") == {3: "AVAILABLE", 4: "AVAILABLE"}


def test_a_first_config_that_fails_says_servables_and_ends_all_looks_at_folders(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=0)
    one.loads.fail = {"a/3": 1}
    with pytest.raises(Refusal) as caught:
        one.servables.reload((one.model("a", 3),))
    assert caught.value.text == (
        "1 servable(s) did not become available: {{{name: a version: 3} due to error: NOT_FOUND: a/3 is broken}, }"
    )
    assert one.servables.state.source is None
    with pytest.raises(Refusal, match=r"^1 servable\(s\)"):
        one.servables.reload((one.model("a", 3),))


def test_the_same_reload_that_failed_is_ok_the_second_time_with_the_model_still_ended(
    bench: Callable[..., Bench],
) -> None:
    one = bench(max_retries=0)
    one.servables.reload(())
    one.loads.fail = {"a/3": 1}
    with pytest.raises(Refusal, match=r"^1 model\(s\)"):
        one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3),))
    assert one.states("a") == {3: "END"}


def test_without_polls_a_reload_waits_for_ever_and_ends_with_the_server(bench: Callable[..., Bench]) -> None:
    one = bench(poll_seconds=0)
    one.servables.reload((one.model("a", 3),))
    with one.reloading(one.model("a", 3), one.model("b", 8)) as reload:
        eventually(lambda: one.servables._awaited is not None, 15)
        assert one.states("b") == {}
        one.servables.stop()
        with pytest.raises(Refusal) as caught:
            reload.result(15)
    assert caught.value.code == UNAVAILABLE


def test_a_second_reload_waits_for_the_first(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("a", 3),))
    one.loads.held["b/8"] = threading.Event()
    with one.reloading(one.model("a", 3), one.model("b", 8)) as first, ThreadPoolExecutor(1) as pool:
        one.becomes("b", {8: "LOADING"})
        second = pool.submit(one.servables.reload, (one.model("a", 3),))
        one.looked("a")
        assert not second.done()
        one.loads.held["b/8"].set()
        first.result(15)
        second.result(15)
    one.becomes("b", {8: "END"})


def test_unload_threads_leave_the_manager_free_while_a_version_is_closed(bench: Callable[..., Bench]) -> None:
    one = bench(unload_threads=1)
    one.servables.reload((one.model("a", 3), one.model("b", 8)))
    closing, close = threading.Event(), threading.Event()
    with one.servables.use("a", 3, None) as (_, loaded):
        pass

    def slow() -> None:
        closing.set()
        close.wait(15)

    loaded.close = slow  # type: ignore[method-assign]
    one.servables.reload((one.model("b", 8),))
    assert closing.wait(15)
    one.servables.reload((one.model("b", 8), one.model("c", 1)))
    assert one.states("a") == {3: "UNLOADING"}
    close.set()
    one.becomes("a", {3: "END"})


def test_a_server_without_a_config_takes_its_first_by_a_later_call(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload(Unlisted.EMPTY)
    with pytest.raises(Refusal, match="does not init yet"), one.servables.use("a", None, "stable"):
        pass
    one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3)._replace(labels=(("stable", 3),)),))
    with one.servables.use("a", None, "stable") as (version, _):
        assert version == 3
    with pytest.raises(Refusal, match="Cannot transition"):
        one.servables.reload(Unlisted.EMPTY)


def test_a_name_that_comes_back_is_waited_for_anew_whatever_became_of_it_before(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=0)
    one.servables.reload(())
    one.loads.fail = {"a/3": 1}
    with pytest.raises(Refusal, match="a/3 is broken"):
        one.servables.reload((one.model("a", 3),))
    one.servables.reload(())
    eventually(lambda: one.servables.state.held("a", 3) is None, 15)
    one.servables.reload((one.model("a", 3),))
    assert one.states("a") == {3: "AVAILABLE"}
