"""All that a server knows, as a small value: immutable, hashable and cheap to copy."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ferryman.model_server.core.codes import OK
from ferryman.model_server.core.config import Model

Status = Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]

Life = Literal[
    "new", "load requested", "loading", "ready", "unload requested", "unloading", "disabled", "error"
]  # fmt: skip
"""Source: `loader_harness.h:State`, without the steps between which nothing can happen."""

Wish = tuple[tuple[int, str], ...]
"""The versions of one model that its source aspires, each with its path."""


class Version(NamedTuple):
    """One version as the monitor shows it: what was heard last of it, for ever."""

    model: str
    number: int
    status: Status = "START"
    code: int = OK
    message: str = ""

    @property
    def gone(self) -> bool:
        """Whether it ended; it can then come back only as a new wish."""
        return self.status == "END"


class Managed(NamedTuple):
    """One version that the manager holds. One that is not aspired never becomes aspired again: it goes first."""

    model: str
    number: int
    life: Life = "new"
    aspired: bool = True
    path: str = ""
    tries: int = 0
    """Attempts to load it that failed."""


class State(NamedTuple):
    """Configs, wishes and versions; the steps of this package lead from one to the next."""

    config: tuple[Model, ...] | None = None
    """The list kept last, also of a call that failed half-way; None before the first."""

    source: tuple[Model, ...] | None = None
    """The list by which folders are looked at."""

    labels: tuple[tuple[str, str, int], ...] | None = None
    """(model, label, number), sorted."""

    pending: tuple[tuple[str, Wish], ...] = ()
    """Wishes that the manager has not taken over, by model; a newer one of a model replaces it."""

    managed: tuple[Managed, ...] = ()
    shown: tuple[Version, ...] = ()

    def version(self, model: str, number: int) -> Version | None:
        """What is shown of one version."""
        return next((v for v in self.shown if v.number == number and v.model == model), None)

    def of(self, model: str) -> tuple[Version, ...]:
        """What is shown of a model, ascending."""
        return tuple(v for v in self.shown if v.model == model)

    def held(self, model: str, number: int) -> Managed | None:
        """The version that the manager holds under a number."""
        return next((m for m in self.managed if m.number == number and m.model == model), None)

    def aspired(self, model: str) -> tuple[int, ...]:
        """The numbers that the manager holds as aspired, ascending."""
        return tuple(m.number for m in self.managed if m.aspired and m.model == model)

    def ready(self, model: str) -> tuple[int, ...]:
        """The numbers that answer requests, ascending."""
        return tuple(m.number for m in self.managed if m.life == "ready" and m.model == model)

    def put(self, changed: Managed) -> State:
        """The state with one held version new or changed."""
        others = [m for m in self.managed if m[:2] != changed[:2]]
        return self._replace(managed=tuple(sorted([*others, changed])))

    def drop(self, gone: Managed) -> State:
        """The state without one held version; what is shown of it stays."""
        return self._replace(managed=tuple(m for m in self.managed if m[:2] != gone[:2]))

    def publish(self, event: Version) -> State:
        """The state with an event heard. Source: `servable_state_monitor.cc:HandleEvent`."""
        others = [v for v in self.shown if v[:2] != event[:2]]
        return self._replace(shown=tuple(sorted([*others, event])))
