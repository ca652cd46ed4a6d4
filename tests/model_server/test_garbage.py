"""Cycles are collected, but not by whoever allocates."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from ferryman.model_server import garbage
from ferryman.model_server.garbage import Garbage, collect


class Node:
    """Holds itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Garbage]:
    monkeypatch.setattr(garbage, "SECONDS", 0.02)
    monkeypatch.setattr(garbage, "LONG", 1e9)
    found = Garbage()
    found.start()
    yield found
    found.stop()


def awaited(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def test_cycles_are_freed_by_a_look_and_not_by_an_allocation(running: Garbage) -> None:
    assert not gc.isenabled()
    node = weakref.ref(Node())
    assert awaited(lambda: node() is None)


def test_python_collects_again_after_the_end(running: Garbage) -> None:
    running.stop()
    assert gc.isenabled()


def test_what_a_long_look_has_left_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.unfreeze()
    monkeypatch.setattr(garbage, "LONG", 1e9)
    collect()
    assert not gc.get_freeze_count()
    monkeypatch.setattr(garbage, "LONG", 0.0)
    try:
        collect()
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
