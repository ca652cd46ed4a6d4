"""What the manager does at every tick: forget, take over wishes, choose one action.

Source: `aspired_versions_manager.cc`, `availability_preserving_policy.cc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ferryman.model_server.core.state import Managed, State, Version, Wish


class Action(NamedTuple):
    """What the manager does next."""

    kind: Literal["load", "unload"]
    model: str
    number: int


def aspire(state: State, found: Mapping[str, Wish]) -> State:
    """Hand over what one look at the folders found; a wish not yet taken over is replaced.

    Source: `aspired_versions_manager.cc:EnqueueAspiredVersionsRequest`.
    """
    return state._replace(pending=tuple(sorted({**dict(state.pending), **found}.items())))


def flush(state: State) -> State:
    """Stop to hold what is not aspired and not loaded; what was shown of it last stays, even START.

    Source: `aspired_versions_manager.cc:FlushServables`.
    """
    kept = tuple(m for m in state.managed if m.aspired or m.life not in ("new", "disabled", "error"))
    return state if len(kept) == len(state.managed) else state._replace(managed=kept)


def take_over(state: State) -> State:
    """Process the wishes, except those that name a version which is still to go: these are put off.

    Source: `aspired_versions_manager.cc:HandlePendingAspiredVersionsRequests`.
    """
    put_off = []
    for name, wish in state.pending:
        numbers = {number for number, _ in wish}
        held = [m for m in state.managed if m.model == name]
        if any(not m.aspired and m.number in numbers for m in held):
            put_off.append((name, wish))
        else:
            state = _process(state, name, wish, held)
    return state._replace(pending=tuple(put_off))


def _process(state: State, name: str, wish: Wish, held: list[Managed]) -> State:
    """Source: `aspired_versions_manager.cc:ProcessAspiredVersionsRequest`."""
    numbers = {number for number, _ in wish}
    for managed in held:
        if managed.aspired and managed.number not in numbers:
            state = state.put(managed._replace(aspired=False))
    for number, path in wish:
        # The first of two paths of one version wins: a version that is held cannot be added.
        if state.held(name, number) is None:
            state = state.put(Managed(name, number, path=path)).publish(Version(name, number))
    return state


def tick(state: State) -> State:
    """What the manager does before it chooses an action."""
    return take_over(flush(state))


def next_action(state: State) -> Action | None:
    """The one action of a tick over all models: an unload before any load, then by name.

    Source: `aspired_versions_manager.cc:GetNextAction`; among equals the real order is that of a hash map.
    """
    by_model: dict[str, list[Managed]] = {}
    for managed in state.managed:
        by_model.setdefault(managed.model, []).append(managed)
    actions = [action for held in by_model.values() if (action := _next(held))]
    return min(actions, key=lambda action: action.kind != "unload", default=None)


def _next(held: list[Managed]) -> Action | None:
    """Source: `availability_preserving_policy.cc:GetNextAction`."""
    # One that failed still counts as aspired, so the last ready version outlives a bad successor.
    aspired = [m for m in held if m.aspired]
    stale = [m for m in held if not m.aspired and m.life == "ready"]
    serving = any(m.life == "ready" for m in aspired)
    if stale and (serving or not aspired or len(stale) > 1):
        return Action("unload", stale[0].model, stale[0].number)
    fresh = [m for m in aspired if m.life == "new"]
    return Action("load", fresh[-1].model, fresh[-1].number) if fresh else None
