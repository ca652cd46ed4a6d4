"""Which loaded version answers a request: one immutable map, swapped as a whole.

A request costs two list operations and one look-up, and no lock. A swap waits until the last request of the old map has
ended, so no request is ever answered by a version that is closed. As in the real server it waits for *all* requests of the
old map, also those of other models.

Source: `fast_read_dynamic_ptr.h`, `basic_manager.cc:ServingMap`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ferryman.model_server import core
from ferryman.model_server.runtime.servable import Servable
from ferryman.model_server.threads import LOOK

Key = tuple[str, int | None]
"""A model and a version; None is the highest that is loaded."""


class Routes:
    """One generation of the map, and who uses it."""

    __slots__ = ("retired", "served", "users")

    def __init__(self, served: Mapping[Key, tuple[int, Servable]]) -> None:
        self.served = dict(served)
        # One element per request that runs; appending and popping are atomic in CPython.
        self.users: list[None] = []
        self.retired: threading.Event | None = None

    def leave(self) -> None:
        """One request less."""
        self.users.pop()
        if self.retired is not None:
            self.retired.set()


class Router:
    """The map in use and the labels."""

    def __init__(self) -> None:
        self.routes = Routes({})
        self.labels: dict[tuple[str, str], int] | None = None

    def use(self, name: str, number: int | None, label: str | None) -> Use:
        """The version that a request goes to, to be entered."""
        return Use(self, name, number, label)

    def swap(self, served: Mapping[Key, tuple[int, Servable]], ends: Callable[[], bool]) -> bool:
        """Let new requests go by `served` at once, and wait for those of the old map; False when `ends` came first."""
        old, free = self.routes, threading.Event()
        old.retired = free
        self.routes = Routes(served)
        while old.users:
            # Whoever leaves pops before it sets: what is cleared here was seen by the next look at the users.
            free.wait(LOOK)
            free.clear()
            if ends():
                return not old.users
        return True


class Use:
    """One request's hold on a version."""

    __slots__ = ("_key", "_label", "_router", "_routes")

    def __init__(self, router: Router, name: str, number: int | None, label: str | None) -> None:
        self._router, self._key, self._label = router, (name, number), label

    def __enter__(self) -> tuple[int, Servable]:
        key, router = self._key, self._router
        if not key[0]:
            raise core.nameless()
        if self._label is not None:
            key = (key[0], core.labelled(router.labels, key[0], self._label))
        routes = router.routes
        routes.users.append(None)
        while router.routes is not routes:
            # Swapped between the two lines above: whoever swapped may not have seen us.
            routes.leave()
            routes = router.routes
            routes.users.append(None)
        served = routes.served.get(key)
        if served is None:
            routes.leave()
            raise core.not_found(*key)
        self._routes = routes
        return served

    def __exit__(self, *_: object) -> None:
        self._routes.leave()
