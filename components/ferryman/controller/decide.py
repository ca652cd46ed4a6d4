"""The controller's decisions: a pure function from (record, wishes, reports, time) to the next record.

Each call makes at most one change to one model, and every change raises the generation, so that a report can only ever
mean the record that it names. A crash changes no direction: the same inputs decide the same again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ferryman.controller.rollback import must_wait, roll_back
from ferryman.controller.transition import end_release, go_back, to_idle
from ferryman.serving.record import BEFORE_COMMIT, Ended, GroupRecord, ModelPart, Released
from ferryman.serving.release import Release
from ferryman.serving.report import ModelReport, Report


@dataclass(frozen=True)
class ProbeReport:
    """What the probe server said of a candidate; counts only for the number it names."""

    model: str
    number: int
    ok: bool
    why: str = ""


@dataclass(frozen=True)
class View:
    """All that a decision rests on."""

    record: GroupRecord
    releases: Sequence[Release] = ()
    """Oldest first."""

    aborts: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, Report] = field(default_factory=dict)
    probes: Sequence[ProbeReport] = ()
    copies: Mapping[str, Released] = field(default_factory=dict)
    """Release -> the version that was copied into the store for it."""

    refusals: Mapping[str, str] = field(default_factory=dict)
    """Release -> why its files could not be copied."""

    torn: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Versions to which a rollback would lead and whose files are not whole, and why."""

    now: str = ""
    """ISO 8601, as `started`."""

    started: str = ""
    """Since when this controller has been deciding: time in which nobody did counts for no deadline and no soak."""

    soak_seconds: float = 0.0
    """How long the previous version stays loaded and watched after a switch."""

    deadline_seconds: float = 900.0
    """Before the commit a phase that takes longer goes back; after it nothing is dropped by itself."""


@dataclass(frozen=True)
class Decision:
    """The next record, or a release whose files are to be copied first; neither when there is nothing to do."""

    record: GroupRecord | None = None
    copy: Release | None = None


def decide(view: View) -> Decision:
    """The next change, if there is one."""
    for name in sorted({*view.record.models, *(release.model for release in view.releases)}):
        part = view.record.models.get(name, ModelPart())
        decision = _decide(view, name, part)
        if isinstance(decision, Release):
            return Decision(copy=decision)
        if decision:
            return Decision(record=_written(view, name, decision))
    return Decision()


def _decide(view: View, name: str, part: ModelPart) -> ModelPart | Release | None:
    """The model's next part, or the release whose files it needs first."""
    running = {part.release, part.rollback}
    waiting = [r for r in view.releases if r.model == name and r.name not in part.ended and r.name not in running]
    aborted = next((r for r in waiting if r.name in view.aborts), None)
    if aborted:
        return end_release(part, aborted.name, Ended(state="RolledBack", why=f"aborted: {view.aborts[aborted.name]}"))
    rollback = next((r for r in waiting if r.kind == "rollback"), None)
    if rollback and not must_wait(part):
        torn = view.torn.get((name, part.previous.number)) if part.previous else None
        return roll_back(part, rollback, torn)
    wishes = [r for r in waiting if r.kind == "release"]
    if part.phase == "idle":
        return _start(view, part, wishes)
    stopped = _stopped(view, part, wishes) if part.phase in BEFORE_COMMIT else None
    return stopped or _advance(view, name, part)


def _written(view: View, name: str, part: ModelPart) -> GroupRecord:
    """The record with this part changed: one generation further."""
    generation = view.record.generation + 1
    before = view.record.models.get(name, ModelPart())
    since = part.since if part.phase == before.phase and part.since else view.now
    part = part.model_copy(update={"generation": generation, "since": since})
    return view.record.model_copy(update={"generation": generation, "models": {**view.record.models, name: part}})


def _start(view: View, part: ModelPart, wishes: Sequence[Release]) -> ModelPart | Release | None:
    """From idle: the newest wish starts, older ones are superseded; what cannot start ends here."""
    if not wishes:
        return None
    *older, newest = wishes
    if older:
        return end_release(part, older[0].name, Ended(state="Superseded", why=f"{newest.name} is newer"))
    unfit = _unfit(part, newest, view)
    if unfit:
        return end_release(part, newest.name, unfit)
    copied = view.copies.get(newest.name)
    if copied is None:
        return newest
    claimed = max(part.claimed, copied.number)
    changes: dict[str, Any] = {"candidate": copied, "release": newest.name, "claimed": claimed, "ending": None}
    return part.model_copy(update={"phase": "probe", **changes})


def _unfit(part: ModelPart, release: Release, view: View) -> Ended | None:
    """Why a release cannot start."""
    serves = (part.stable.number, part.stable.digest) if part.stable else (None, None)
    if (release.champion_version, release.champion_digest) != serves:
        judged = f"version {release.champion_version}" if release.champion_version else "nothing"
        now = f"version {serves[0]}" if serves[0] else "nothing"
        return Ended(state="Conflict", why=f"it was compared with {judged}, but {now} serves")
    if release.content in part.refused and not release.reason:
        return Ended(state="Refused", why="a person rolled this very model back; promote it again with a reason")
    if release.name in view.refusals:
        return Ended(state="Refused", why=view.refusals[release.name])
    return None


def _stopped(view: View, part: ModelPart, wishes: Sequence[Release]) -> ModelPart | None:
    """What stops a rollout that has not committed: an abort, a newer wish, a deadline."""
    number = part.candidate.number if part.candidate else None
    if part.release in view.aborts:
        return go_back(part, Ended(state="RolledBack", why=f"aborted: {view.aborts[part.release]}", version=number))
    current = next((release for release in view.releases if release.name == part.release), None)
    newer = [r for r in wishes if current is None or (r.created, r.name) > (current.created, current.name)]
    if newer:
        return go_back(part, Ended(state="Superseded", why=f"{newer[-1].name} is newer", version=number))
    if _seconds(view, part) > view.deadline_seconds:
        words = "; ".join(_why(view, part)) or "no report"
        why = f"phase {part.phase} took longer than {view.deadline_seconds:.0f} s: {words}"
        return go_back(part, Ended(state="Refused", why=why, version=number))
    return None


def _advance(view: View, name: str, part: ModelPart) -> ModelPart | None:
    if part.phase == "probe":
        return _probed(view, name, part)
    reports = _reports(view, name, part)
    bad = next(
        (
            f"{replica}: {r.why}"
            for replica, r in reports.items()
            if r.state == "bad" and not _overlooked(view, part, r)
        ),
        None,
    )
    if bad and part.phase in BEFORE_COMMIT:
        number = part.candidate.number if part.candidate else None
        return go_back(part, Ended(state="Refused", why=bad, version=number))
    if (bad and part.phase != "back") or not _satisfied(view, part, reports):
        # After the commit a bad report waits for a person or a reversal: the way forward drops nothing by itself.
        return None
    return _next(view, part)


def _satisfied(view: View, part: ModelPart, reports: Mapping[str, ModelReport]) -> bool:
    asked = view.record.replicas[:1] if part.phase == "roll0" else view.record.replicas
    return all(replica in reports and _has_done(view, part, reports[replica]) for replica in asked)


def _has_done(view: View, part: ModelPart, report: ModelReport) -> bool:
    """Whether a server is where the phase leads; from back it is also when its only trouble is the stable version.

    That the candidate has left is then true all the same, and only from idle a way out of the trouble can start.
    """
    if report.state == "ok":
        return True
    return _stable_alone(part, report) if part.phase == "back" else _overlooked(view, part, report)


def _overlooked(view: View, part: ModelPart, report: ModelReport) -> bool:
    """Whether a server's only trouble is the stable version while a person, with a reason, replaces that very one.

    The candidate is then loaded and proven there. A run's own release goes back: it was compared with what is lost.
    """
    asked = next((release for release in view.releases if release.name == part.release), None)
    return part.phase in BEFORE_COMMIT and _stable_alone(part, report) and asked is not None and bool(asked.reason)


def _stable_alone(part: ModelPart, report: ModelReport) -> bool:
    return report.bad is not None and part.stable is not None and report.bad == part.stable.number


def _next(view: View, part: ModelPart) -> ModelPart | None:
    if part.phase == "roll0":
        return part.model_copy(update={"phase": "roll1"})
    if part.phase in {"load", "roll1"} and part.candidate:
        changes = {"stable": part.candidate, "previous": part.stable, "candidate": None}
        # Only a release with a person's reason comes this far with a content that a person had refused.
        refused = [content for content in part.refused if content != part.candidate.content]
        return part.model_copy(update={"phase": "switch", **changes, "refused": refused})
    if part.phase == "switch":
        return part.model_copy(update={"phase": "soak"})
    if part.phase == "soak":
        if _seconds(view, part) < view.soak_seconds:
            return None
        gone = {part.previous.number} if part.previous else set()
        return part.model_copy(update={"phase": "finish", "tombstones": sorted({*part.tombstones, *gone})})
    return to_idle(part)


def _probed(view: View, name: str, part: ModelPart) -> ModelPart | None:
    candidate = part.candidate
    if candidate is None:
        return None
    found = next((p for p in view.probes if (p.model, p.number) == (name, candidate.number)), None)
    if found is None:
        return None
    if not found.ok:
        return go_back(part, Ended(state="Refused", why=f"probe: {found.why}", version=candidate.number))
    return part.model_copy(update={"phase": "load" if view.record.clients == "labelled" else "roll0"})


def _reports(view: View, name: str, part: ModelPart) -> dict[str, ModelReport]:
    """The reports that count: of this record's epoch and of this part's generation."""
    found = {}
    for replica, report in view.reports.items():
        model = report.models.get(name)
        if model and not report.absent and (report.epoch, model.generation) == (view.record.epoch, part.generation):
            found[replica] = model
    return found


def _why(view: View, part: ModelPart) -> list[str]:
    return [
        f"{replica}: {model.why}"
        for replica, report in view.reports.items()
        for model in report.models.values()
        if model.why and model.generation == part.generation
    ]


def _seconds(view: View, part: ModelPart) -> float:
    """How long the phase has lasted while this controller was there to watch it."""
    try:
        now = datetime.fromisoformat(view.now)
        times = [datetime.fromisoformat(text) for text in (part.since, view.started) if text]
        # What began in the future was written before the machine's clock was set back: nobody knows when.
        began = max((moment for moment in times if moment <= now), default=now)
        return (now - began).total_seconds()
    except (ValueError, TypeError):
        return 0.0
