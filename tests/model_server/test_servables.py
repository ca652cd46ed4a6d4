"""The servables with models that load at a word: threads and polls, but no TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from newcomer import eventually

from ferryman.model_server.core import NOT_FOUND, UNAVAILABLE, Model, Policy, Refusal, Unlisted
from ferryman.model_server.folders import Folders
from ferryman.model_server.servables import Servables, Settings


class Loads:
    """Loads whatever there is: `fail` counts refusals to come by folder name, `held` makes loads of a name wait."""

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.held: dict[str, threading.Event] = {}
        self.attempts: list[str] = []
        self.closed: list[str] = []

    def __call__(self, folder: Path) -> Any:
        name = f"{folder.parent.name}/{folder.name}"
        self.attempts.append(name)
        if name in self.held:
            self.held[name].wait(20)
        if self.fail.get(name, 0):
            self.fail[name] -= 1
            raise Refusal(NOT_FOUND, f"{name} is broken")
        return Loaded(name, self)


class Loaded:
    """A version that knows its name and whether it was closed."""

    def __init__(self, name: str, loads: Loads) -> None:
        self.name, self.loads = name, loads

    def close(self) -> None:
        self.loads.closed.append(self.name)


class Looks(Folders):
    """Real folders; counts the looks at base paths of models."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def exists(self, path: str) -> bool:
        self.seen.append(path)
        return super().exists(path)


class Bench:
    """The servables of a folder of models."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.loads, self.folders = root, Loads(), Looks()
        chosen = Settings(**{"poll_seconds": 0.05, "load_threads": 2, "retry_seconds": 0.02, **settings})
        self.servables = Servables(chosen, self.loads, self.folders, tick=0.01)
        self.servables.start()

    def model(self, name: str, *versions: int, there: bool = True) -> Model:
        if there:
            for number in versions:
                (self.root / name / str(number)).mkdir(parents=True, exist_ok=True)
        return Model(name, str(self.root / name), Policy("specific", versions=versions))

    @contextmanager
    def reloading(self, *models: Model) -> Iterator[Future[None]]:
        """A reload that runs meanwhile; a test that fails does not wait for it."""
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(self.servables.reload, models)
            except BaseException:
                self.servables.stop()
                raise

    def states(self, name: str) -> dict[int, str]:
        return {version.number: version.status for version in self.servables.state.of(name)}

    def answering(self, name: str) -> str:
        with self.servables.use(name, None, None) as (_, loaded):
            return loaded.name  # type: ignore[attr-defined,no-any-return]

    def looked(self, name: str) -> None:
        """Wait until the base path of a model was looked at twice from now on: one look may be under way."""
        path, before = str(self.root / name), self.folders.seen.count(str(self.root / name))
        eventually(lambda: self.folders.seen.count(path) >= before + 2, 15)

    def becomes(self, name: str, states: dict[int, str]) -> None:
        eventually(lambda: self.states(name) == states, 15)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def build(**settings: Any) -> Bench:
        benches.append(Bench(tmp_path, **settings))
        return benches[-1]

    yield build
    for built in benches:
        for held in built.loads.held.values():
            held.set()
        built.servables.stop()


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
