"""What a server answers from its state: which version takes a request, what a model's status is, what a wait found."""

from __future__ import annotations

from typing import NamedTuple

from ferryman.model_server.core.codes import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    OK,
    UNAVAILABLE,
    UNKNOWN,
    Refusal,
    name_of,
)
from ferryman.model_server.core.state import State, Version


def resolve(state: State, name: str, number: int | None, label: str | None) -> int:
    """The version that a request goes to: the one named, the label's, or the highest that is ready.

    Raises:
        Refusal: as `server_core.cc:ServableRequestFromModelSpec` and `basic_manager.cc:GetUntypedServableHandle` answer.
    """
    if not name:
        raise nameless()
    if label is not None:
        known = None if state.labels is None else {(model, entry): version for model, entry, version in state.labels}
        number = labelled(known, name, label)
    ready = state.ready(name)
    if number is None and ready:
        return ready[-1]
    if number is None or number not in ready:
        raise not_found(name, number)
    return number


def labelled(labels: dict[tuple[str, str], int] | None, name: str, label: str) -> int:
    """Where a label points. Source: `server_core.cc:GetModelVersionForLabel`."""
    if labels is None:
        raise Refusal(UNAVAILABLE, f"Model labels does not init yet.{label}")
    if (name, label) not in labels:
        raise Refusal(INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
    return labels[name, label]


def nameless() -> Refusal:
    """The answer to a request that names no model."""
    return Refusal(INVALID_ARGUMENT, "ModelSpec has no name specified.")


def not_found(name: str, number: int | None) -> Refusal:
    """The answer for a version that does not serve."""
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return Refusal(NOT_FOUND, f"Servable not found for request: {asked}")


def status(state: State, name: str, number: int | None) -> tuple[Version, ...]:
    """The versions that GetModelStatus lists, the highest first; Refusal when there are none.

    Source: `get_model_status_impl.cc:GetModelStatusWithModelSpec`; `servable_state_monitor.h:VersionMap` for the order.
    """
    versions = state.of(name)
    if number is not None:
        versions = tuple(version for version in versions if version.number == number)
        if not versions:
            raise Refusal(NOT_FOUND, f"Could not find version {number} of model {name}")
    if not versions:
        raise Refusal(NOT_FOUND, f"Could not find any versions of model {name}")
    return versions[::-1]


class Awaited(NamedTuple):
    """Names that a call waits for, and what was heard since it began.

    A reload hears with a monitor of its own: what a version was before the call counts for nothing. So a name that
    comes back before the manager saw it go is waited for until something happens to it.
    """

    names: frozenset[str]
    heard: tuple[Version, ...] = ()

    def hear(self, before: State, after: State) -> Awaited:
        """Take over what one step published."""
        news = [version for version in after.shown if version not in before.shown]
        known = {version[:2]: version for version in self.heard} | {version[:2]: version for version in news}
        return self._replace(heard=tuple(sorted(known.values()))) if news else self

    def reached(self) -> tuple[Version, ...] | None:
        """Of each name the highest version that is available or ended, by name; None while one has none.

        Source: `servable_state_monitor.cc:HasAnyServableInStreamReachedState`.
        """
        first: dict[str, Version] = {}
        for version in reversed(self.heard):
            if version.status in ("AVAILABLE", "END") and version.model in self.names:
                first.setdefault(version.model, version)
        return tuple(sorted(first.values())) if len(first) == len(self.names) else None


def unavailable(reached: tuple[Version, ...], noun: str) -> Refusal | None:
    """What a wait ends with when not all that it reached are available.

    Source: `server_core.cc:WaitUntilModelsAvailable` says model(s), `load_servables_fast.cc` servable(s).
    """
    failed = [version for version in reached if version.status != "AVAILABLE"]
    if not failed:
        return None
    texts = "".join(f"{{{_why(version)}}}, " for version in failed)
    return Refusal(UNKNOWN, f"{len(failed)} {noun}(s) did not become available: {{{texts}}}")


def _why(version: Version) -> str:
    cause = f" due to error: {name_of(version.code)}: {version.message}" if version.code != OK else ""
    return f"{{name: {version.model} version: {version.number}}}{cause}"
