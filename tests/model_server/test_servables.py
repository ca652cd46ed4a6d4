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

from ferryman.model_server.core import CANCELLED, NOT_FOUND, Model, Policy, Refusal
from ferryman.model_server.folders import version_folder, versions_on_disk
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


class Bench:
    """The servables of a folder of models."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.loads = root, Loads()
        chosen = Settings(**{"poll_seconds": 0.05, "load_threads": 2, "retry_seconds": 0.02, **settings})
        self.servables = Servables(chosen, self.loads, versions_on_disk, version_folder)
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
    eventually(lambda: not one.servables.state.version("a", 4).aspired, 15)  # type: ignore[union-attr]
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "AVAILABLE"})


def test_a_version_that_is_dropped_stops_being_retried_and_ends_cancelled(bench: Callable[..., Bench]) -> None:
    one = bench(max_retries=1000)
    one.loads.fail = {"a/4": 1000}
    one.servables.reload((one.model("a", 3),))
    one.servables.reload((one.model("a", 3, 4),))
    one.becomes("a", {3: "AVAILABLE", 4: "LOADING"})
    one.servables.reload((one.model("a", 3),))
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    ended = one.servables.state.version("a", 4)
    assert ended is not None
    assert (ended.code, ended.message) == (CANCELLED, "Loading of servable cancelled")


@pytest.mark.parametrize(("threads", "other"), [(0, {}), (2, {8: "AVAILABLE"})])
def test_only_a_server_with_load_threads_loads_others_beside_a_slow_load(
    bench: Callable[..., Bench], threads: int, other: dict[int, str]
) -> None:
    one = bench(load_threads=threads)
    one.loads.held["a/3"] = threading.Event()
    with one.reloading(one.model("a", 3), one.model("b", 8)) as reload:
        one.becomes("a", {3: "LOADING"})
        if other:
            one.becomes("b", other)
        else:
            assert "b/8" not in one.loads.attempts
        one.loads.held["a/3"].set()
        reload.result(15)
    assert one.answering("b") == "b/8"


def test_a_missing_base_path_stops_the_discovery_of_all_models_until_it_is_there(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.servables.reload((one.model("b", 8),))
    with one.reloading(one.model("a", 3, there=False), one.model("b", 8, 9)) as reload:
        polls = one.servables._polled_at
        eventually(lambda: one.servables._polled_at > polls + 0.2, 15)
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
    polls = one.servables._polled_at
    eventually(lambda: one.servables._polled_at > polls + 0.2, 15)
    assert one.answering("a") == "a/4"
    (one.root / "aside").rename(base)
    (base / "4").rmdir()
    one.becomes("a", {3: "AVAILABLE", 4: "END"})
    assert one.answering("a") == "a/3"


def test_only_folders_with_a_whole_number_for_a_name_are_versions(tmp_path: Path) -> None:
    for name in ("2", "0007", "tmp.9", "-1", "latest"):
        (tmp_path / name).mkdir()
    (tmp_path / "12").write_bytes(b"a file")
    assert versions_on_disk(str(tmp_path)) == [2, 7]
    assert version_folder(str(tmp_path), 7) == tmp_path / "0007"
    assert versions_on_disk(str(tmp_path / "none")) is None
