"""What a server's agent does next for one model: a pure function of the record and of what it observes.

The first rule that applies is the act; after each act everything is observed anew. The order of the rules is what
survived an exhaustive exploration: load with the current label, wait, prove, move the label, verify it, write the
start-up file, drop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ferryman.serving.record import Targets


@dataclass(frozen=True)
class Seen:
    """One version as the server reports it."""

    state: str
    message: str = ""

    @property
    def alive(self) -> bool:
        """Whether it is on its way up, up, or on its way down."""
        return self.state in {"START", "LOADING", "AVAILABLE", "UNLOADING"}

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.state == "END" and bool(self.message)


@dataclass(frozen=True)
class Observed:
    """What one agent knows of one model at its server."""

    listening: bool
    exited: bool = False
    startup: int | None = None
    """The one version that the start-up file names; None when it names none."""

    aspired: frozenset[int] | None = None
    """Versions in the list that this agent sent last; None before it sent one."""

    label_config: int | None = None
    """Where the list that the server holds points `stable`: the start-up file's, or what was sent last."""

    versions: dict[int, Seen] = field(default_factory=dict)
    label: int | None = None
    """Where a request with the label `stable` really went; None when the server knows no such label."""

    broken: dict[int, str] = field(default_factory=dict)
    """Versions whose files in the store are torn or altered, and how."""

    proven: frozenset[int] = frozenset()
    """Versions that gave the golden answers on this very server process."""

    disproven: dict[int, str] = field(default_factory=dict)
    """Versions that gave others, and which."""


@dataclass(frozen=True)
class Act:
    """One act of an agent."""

    kind: Literal["write_startup", "start", "reload", "prove", "wait", "bad", "ok"]
    versions: frozenset[int] = frozenset()
    """Reload: the list to send. Prove: the version to ask."""

    label: int | None = None
    """Reload and write_startup: where `stable` points."""

    why: str = ""


def converge(want: Targets, seen: Observed) -> Act:
    """The next act towards `want`."""
    broken = next(
        (f"version {n} in the store: {seen.broken[n]}" for n in sorted(want.required & seen.broken.keys())), ""
    )
    if not seen.listening:
        return _down(want, seen, broken)
    if broken:
        return Act("bad", why=broken)
    usable = want.wanted - seen.broken.keys()
    return _load(want, seen, usable) or _prove(want, seen) or _settle(want, seen)


def _down(want: Targets, seen: Observed, broken: str) -> Act:
    """The server does not listen: what it will start from must name the stable version and nothing else."""
    if not seen.exited:
        return Act("wait", why="the server starts")
    label = None if want.label in seen.broken else want.label
    if seen.startup != label:
        return Act("write_startup", label=label)
    return Act("bad", why=broken) if broken and label is None and want.label is not None else Act("start")


def _load(want: Targets, seen: Observed, usable: frozenset[int]) -> Act | None:
    alive = frozenset(number for number, version in seen.versions.items() if version.alive)
    if seen.aspired is None or usable - seen.aspired:
        # All that lives stays: nothing leaves a server without a tombstone. The label stays where it is.
        everything = (seen.aspired or frozenset()) | alive | usable
        current = seen.label_config if seen.label_config in alive else None
        return Act("reload", everything - want.tombstones | (alive & want.tombstones), current)
    for number in sorted(want.required):
        version = seen.versions.get(number)
        if version and version.failed:
            if not (want.committed and number == want.label):
                return Act("bad", why=f"version {number} does not load: {version.message}")
            # A failed version is never retried while it is wanted: take it off the list, wait, put it back.
            return Act("reload", seen.aspired - {number}, None, why=f"version {number} failed: {version.message}")
        if not version or version.state != "AVAILABLE":
            return Act("wait", why=f"version {number} is {version.state if version else 'not there yet'}")
    return None


def _prove(want: Targets, seen: Observed) -> Act | None:
    for number in sorted(want.required):
        if number in seen.disproven:
            return Act("bad", why=f"version {number}: {seen.disproven[number]}")
        if number not in seen.proven:
            return Act("prove", frozenset({number}))
    return None


def _settle(want: Targets, seen: Observed) -> Act:
    aspired = seen.aspired or frozenset()
    if want.label is not None:
        if seen.label != want.label:
            return Act("reload", aspired, want.label)
        if seen.startup != want.label:
            return Act("write_startup", label=want.label)
    if aspired & want.tombstones:
        return Act("reload", aspired - want.tombstones, want.label)
    leaving = [n for n in sorted(want.tombstones) if n in seen.versions and seen.versions[n].alive]
    if leaving:
        return Act("wait", why=f"version {leaving[0]} is leaving")
    return Act("ok")
