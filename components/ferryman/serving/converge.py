"""What a server's agent does next for one model: a pure function of the record and of what it observes.

The first rule that applies is the act; after each act everything is observed anew. The order of the rules is what
survived an exhaustive exploration: load with the current label, wait, prove, move the label, verify it, write the
start-up file, drop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ferryman.serving.record import Targets


@dataclass(frozen=True)
class Seen:
    """One version as the server reports it."""

    state: str
    message: str = ""
    """Why it ended, where it failed; empty otherwise."""

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
    """Versions in the list that the server holds; None when somebody else gave it one that cannot be read back."""

    label_config: int | None = None
    """Where that list points `stable`."""

    versions: Mapping[int, Seen] = field(default_factory=dict)
    label: int | None = None
    """Which version really answers under the label `stable`; None when none does."""

    broken: Mapping[int, str] = field(default_factory=dict)
    """Versions not to be loaded: their files are torn, or they ended the server; and why."""

    resting: frozenset[int] = frozenset()
    """Versions taken off the list so recently that the server may not have forgotten them."""

    proven: frozenset[int] = frozenset()
    """Versions that gave the golden answers on this very server process."""

    disproven: Mapping[int, str] = field(default_factory=dict)
    """Versions that gave others, and which."""

    def lingers(self, number: int) -> bool:
        """Whether a version that is off the list may still load, serve or come up.

        Its last wish may wait to be taken over by the server, which shows nothing of it. START alone is no sign: what was
        taken off the list before it began to load shows START for ever (aspired_versions_manager.cc:FlushServables).
        """
        version = self.versions.get(number)
        return number in self.resting or (version is not None and version.alive and version.state != "START")


@dataclass(frozen=True)
class Act:
    """One act of an agent."""

    kind: Literal["write_startup", "start", "reload", "prove", "wait", "bad", "ok"]
    versions: frozenset[int] = frozenset()
    """Reload: the list to send. Prove: the version to ask. Bad: the one that is."""

    label: int | None = None
    """Reload and write_startup: where `stable` points."""

    why: str = ""


def converge(want: Targets, seen: Observed) -> Act:
    """The next act towards `want`."""
    if not seen.listening:
        return _down(want, seen)
    act = _load(want, seen) or _prove(want, seen)
    if act and act.kind == "bad" and act.versions == {want.label}:
        # The stable version itself is in trouble, which no waiting mends: whatever must leave leaves all the same, but
        # for the version that still answers in its place.
        leaving = want.tombstones - {seen.label, seen.label_config}
        return _drop(replace(want, tombstones=leaving), seen, seen.label_config) or act
    return act or _settle(want, seen)


def _down(want: Targets, seen: Observed) -> Act:
    """The server does not listen: what it will start from must name the stable version and nothing else."""
    if not seen.exited:
        return Act("wait", why="the server starts")
    label = None if want.label in seen.broken else want.label
    if want.label is not None and seen.startup != label:
        return Act("write_startup", label=label)
    return Act("start")


def _load(want: Targets, seen: Observed) -> Act | None:
    """Bring up what is missing; nothing leaves here, and the label stays where it is."""
    usable = want.wanted - seen.broken.keys()
    coming = frozenset(n for n, version in seen.versions.items() if version.alive and version.state != "UNLOADING")
    aspired = coming if seen.aspired is None else seen.aspired
    current = seen.label if seen.aspired is None else seen.label_config
    for number in sorted(usable - aspired):
        if seen.lingers(number):
            # Taken off the list and wanted again: the server first ends it, however AVAILABLE it still looks.
            return Act("wait", why=f"the server must forget version {number} before it can come back")
    if usable - aspired or (seen.aspired is None and aspired):
        return Act("reload", aspired | usable, current)
    for number in sorted(want.required & usable):
        version = seen.versions.get(number)
        if version and version.failed:
            if number != want.label:
                return Act("bad", frozenset({number}), why=f"version {number} does not load: {version.message}")
            # What failed is never tried again while it is wanted: it leaves the list, and comes back after a while.
            return Act("reload", aspired - {number}, current, why=f"version {number} failed: {version.message}")
        if not version or version.state != "AVAILABLE":
            return Act("wait", why=f"version {number} is {version.state if version else 'not there yet'}")
    return None


def _prove(want: Targets, seen: Observed) -> Act | None:
    # The stable version comes last: when it alone is bad, whoever hears of it knows that all others are proven.
    for number in sorted(want.required, key=lambda number: (number == want.label, number)):
        if number in seen.broken:
            return Act("bad", frozenset({number}), why=f"version {number} cannot be loaded: {seen.broken[number]}")
        if number in seen.disproven:
            return Act("bad", frozenset({number}), why=f"version {number}: {seen.disproven[number]}")
        if number not in seen.proven:
            return Act("prove", frozenset({number}))
    return None


def _settle(want: Targets, seen: Observed) -> Act:
    """Everything required is proven: move the label, verify it, write the start-up file, only then drop."""
    aspired = seen.aspired or frozenset()
    if want.label is not None:
        if seen.label != want.label:
            return Act("reload", aspired, want.label)
        if seen.startup != want.label:
            return Act("write_startup", label=want.label)
    return _drop(want, seen, want.label) or Act("ok")


def _drop(want: Targets, seen: Observed, label: int | None) -> Act | None:
    """Let what is tombstoned leave; None when nothing of it is left."""
    aspired = seen.aspired or frozenset()
    if aspired & want.tombstones:
        return Act("reload", aspired - want.tombstones, label)
    leaving = [n for n in sorted(want.tombstones) if seen.lingers(n)]
    return Act("wait", why=f"version {leaving[0]} is leaving") if leaving else None
