"""Threads that run calls, and their futures that only tell of the end."""

from __future__ import annotations

import gc
import threading
import weakref

from newcomer import eventually

from ferryman.model_server.rpc.workers import Ended, Threads


def test_as_many_calls_run_as_there_are_threads_and_the_others_wait_their_turn() -> None:
    threads, go_on = Threads(2, "t"), threading.Event()
    running: list[int] = []

    def call(number: int) -> None:
        running.append(number)
        go_on.wait(10)

    for number in range(4):
        threads.submit(call, number)
    eventually(lambda: len(running) == 2, 5)
    go_on.set()
    eventually(lambda: sorted(running) == [0, 1, 2, 3], 5)
    threads.shutdown()


def test_the_end_is_told_once_to_those_who_asked_before_and_after_it() -> None:
    told: list[str] = []
    ended = Ended()
    ended.add_done_callback(lambda _: told.append("before"))
    assert told == []
    ended.end()
    ended.add_done_callback(lambda _: told.append("after"))
    assert told == ["before", "after"]


def test_a_call_that_fails_ends_as_well_and_its_thread_runs_the_next() -> None:
    threads, told = Threads(1, "t"), threading.Event()

    def fail() -> None:
        raise ValueError("no")

    threads.submit(fail)
    threads.submit(lambda: None).add_done_callback(lambda _: told.set())
    assert told.wait(5)
    threads.shutdown()


def test_nothing_of_a_call_is_kept_until_the_next_one() -> None:
    class Argument:
        pass

    threads, argument = Threads(1, "t"), Argument()
    gone = weakref.ref(argument)
    threads.submit(lambda _: None, argument)
    del argument

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    eventually(is_gone, 5)
    threads.shutdown()


def test_threads_end_after_what_waits() -> None:
    threads, done = Threads(1, "ending"), threading.Event()
    threads.submit(done.set)
    threads.shutdown()
    assert done.wait(5)
    eventually(lambda: not any(thread.name == "ending-0" for thread in threading.enumerate()), 5)
