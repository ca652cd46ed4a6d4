"""The map that requests are routed by, and its swaps."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from newcomer import eventually

from ferryman.model_server.core import INVALID_ARGUMENT, NOT_FOUND, Refusal
from ferryman.model_server.routing import Router


def router(**labels: int) -> Router:
    made = Router()
    swap(made, 1, 2)
    made.labels = {("m", label): number for label, number in labels.items()}
    return made


def swap(made: Router, *numbers: int, ends: bool = False) -> bool:
    served: dict[Any, Any] = {("m", number): (number, f"m{number}") for number in numbers}
    return made.swap({**served, ("m", None): served["m", max(numbers)]}, lambda: ends)


def test_a_request_goes_to_a_number_a_label_or_the_highest() -> None:
    made = router(stable=1)
    asked = [made.use("m", 1, None), made.use("m", None, "stable"), made.use("m", None, None)]
    for use, number in zip(asked, (1, 1, 2), strict=True):
        with use as (version, servable):
            assert (version, servable) == (number, f"m{number}")


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (("", None, "stable"), INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (("n", None, None), NOT_FOUND, "Servable not found for request: Latest(n)"),
        (("m", 3, None), NOT_FOUND, "Servable not found for request: Specific(m, 3)"),
        (("m", None, "next"), NOT_FOUND, "Servable not found for request: Specific(m, 3)"),
        (("m", None, "other"), INVALID_ARGUMENT, "Unrecognized servable version label: other"),
    ],
)
def test_a_request_that_leads_nowhere_is_refused_and_holds_nothing_up(asked: Any, code: int, text: str) -> None:
    made = router(next=3)
    with pytest.raises(Refusal) as caught, made.use(*asked):
        pass
    assert (caught.value.code, caught.value.text) == (code, text)
    assert made.routes.users == []


def test_a_swap_waits_for_older_requests_and_newer_ones_go_by_the_new_map() -> None:
    made = router()
    with ThreadPoolExecutor(1) as pool:
        with made.use("m", None, None) as (old, _):
            swapped = pool.submit(swap, made, 2, 3)
            eventually(lambda: ("m", 3) in made.routes.served, 15)
            with made.use("m", None, None) as (new, _):
                assert (old, new) == (2, 3)
            assert not swapped.done()
        assert swapped.result(15)


def test_a_request_that_fails_lets_go_all_the_same() -> None:
    made = router()
    with pytest.raises(ZeroDivisionError), made.use("m", None, None):
        raise ZeroDivisionError
    assert made.routes.users == []
    assert swap(made, 3)


def test_a_server_that_ends_waits_for_no_request() -> None:
    made = router()
    with made.use("m", None, None):
        assert not swap(made, 3, ends=True)
    assert swap(made, 4, ends=True)


class Swapping(list[None]):
    """Users of a map that is swapped in the very moment in which somebody wants to join them."""

    def __init__(self, made: Router) -> None:
        super().__init__()
        self.made, self.swapped = made, False

    def append(self, item: None) -> None:
        if not self.swapped:
            self.swapped = True
            # Nobody is there yet, so it does not wait, and what was served may be closed from now on.
            assert swap(self.made, 3)
        super().append(item)


def test_a_request_that_comes_in_the_moment_of_a_swap_goes_by_the_new_map() -> None:
    made = router()
    old = made.routes
    old.users = Swapping(made)
    with made.use("m", None, None) as (version, _):
        assert version == 3
        assert old.users == []
        assert len(made.routes.users) == 1


def test_many_requests_and_swaps_never_lose_count() -> None:
    made, stop = router(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            with made.use("m", None, None):
                pass

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            assert all(swap(made, number) for number in range(1, 200))
        finally:
            stop.set()
        for asked in asking:
            asked.result(15)
    assert made.routes.users == []
