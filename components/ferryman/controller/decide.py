"""The controller's decisions: a pure function from (record, wishes, reports, time) to the next record.

Each call makes at most one change to one model, and every change raises the generation, so that a report can only ever
mean the record that it names. A crash changes no direction: the same inputs decide the same again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ferryman.serving.record import AFTER_COMMIT, BEFORE_COMMIT, Ended, GroupRecord, ModelPart, Phase, Released
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

    now: str = ""
    soak_seconds: float = 0.0
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
        if decision.record or decision.copy:
            return decision
    return Decision()


def _decide(view: View, name: str, part: ModelPart) -> Decision:
    pending = [r for r in view.releases if r.model == name and r.name not in part.ended]
    waiting = [r for r in pending if r.name not in {part.release, part.rollback}]
    rollback = next((r for r in waiting if r.kind == "rollback"), None)
    if rollback:
        return _write(view, name, _roll_back(part, rollback))
    if part.phase == "idle":
        return _start(view, name, part, waiting)
    changed = _before_commit(view, part, waiting) if part.phase in BEFORE_COMMIT else None
    changed = changed or _advance(view, name, part)
    return _write(view, name, changed) if changed else Decision()


def _write(view: View, name: str, part: ModelPart) -> Decision:
    """The record with this part changed: one generation further."""
    generation = view.record.generation + 1
    before = view.record.models.get(name, ModelPart())
    since = part.since if part.phase == before.phase and part.since else view.now
    part = part.model_copy(update={"generation": generation, "since": since})
    models = {**view.record.models, name: part}
    return Decision(view.record.model_copy(update={"generation": generation, "models": models}))


def _ended(part: ModelPart, release: str, end: Ended, **changes: Any) -> ModelPart:
    return part.model_copy(update={"ended": {**part.ended, release: end}, **changes})


def _roll_back(part: ModelPart, rollback: Release) -> ModelPart:
    """The way back, from wherever the rollout is; a rollback that names another version than the one it meets conflicts."""
    leaves = rollback.leaves
    if part.phase in BEFORE_COMMIT and part.candidate and part.candidate.number == leaves:
        why = f"rolled back: {rollback.reason}"
        refused = _with(part.refused, part.candidate.content)
        back = _back(part, Ended(state="RolledBack", why=why, version=leaves))
        return back.model_copy(update={"rollback": rollback.name, "refused": refused})
    if part.phase in {"idle", *AFTER_COMMIT} and part.stable and part.stable.number == leaves and part.previous:
        left, kept = part.stable, part.previous
        ending = Ended(state="RolledBack", why=f"rolled back: {rollback.reason}", version=leaves)
        return part.model_copy(
            update={
                "phase": "revert",
                "stable": kept,
                "previous": left,
                "rollback": rollback.name,
                "ending": ending if part.release else None,
                "tombstones": sorted({*part.tombstones, left.number} - {kept.number}),
                "refused": _with(part.refused, left.content),
            }
        )
    serves = f"version {part.stable.number} serves" if part.stable else "nothing serves"
    why = f"it leaves version {leaves}, but {serves} (phase {part.phase})"
    if part.stable and part.stable.number == leaves and not part.previous:
        why = f"version {leaves} is the first one: there is nothing to go back to"
    return _ended(part, rollback.name, Ended(state="Conflict", why=why))


def _start(view: View, name: str, part: ModelPart, waiting: Sequence[Release]) -> Decision:
    """From idle: the newest wish starts, older ones are superseded; what cannot start ends here."""
    if not waiting:
        return Decision()
    *older, newest = waiting
    if older:
        end = Ended(state="Superseded", why=f"{newest.name} is newer")
        return _write(view, name, _ended(part, older[0].name, end))
    unfit = _unfit(part, newest, view)
    if unfit:
        return _write(view, name, _ended(part, newest.name, unfit))
    copied = view.copies.get(newest.name)
    if copied is None:
        return Decision(copy=newest)
    return _write(
        view,
        name,
        part.model_copy(
            update={
                "phase": "probe",
                "candidate": copied,
                "release": newest.name,
                "claimed": max(part.claimed, copied.number),
                "ending": None,
            }
        ),
    )


def _unfit(part: ModelPart, release: Release, view: View) -> Ended | None:
    """Why a release cannot start."""
    if release.name in view.aborts:
        return Ended(state="RolledBack", why=f"aborted: {view.aborts[release.name]}")
    serves = (part.stable.number, part.stable.digest) if part.stable else (None, None)
    if (release.champion_version, release.champion_digest) != serves:
        judged = f"version {release.champion_version}" if release.champion_version else "nothing"
        now = f"version {serves[0]}" if serves[0] else "nothing"
        return Ended(state="Conflict", why=f"it was compared with {judged}, but {now} serves")
    if release.content in part.refused and not release.reason:
        return Ended(state="Refused", why="a person rolled this very model back")
    if release.name in view.refusals:
        return Ended(state="Refused", why=view.refusals[release.name])
    return None


def _before_commit(view: View, part: ModelPart, waiting: Sequence[Release]) -> ModelPart | None:
    """What stops a rollout that has not committed: an abort, a newer wish, a deadline."""
    number = part.candidate.number if part.candidate else None
    if part.release in view.aborts:
        return _back(part, Ended(state="RolledBack", why=f"aborted: {view.aborts[part.release]}", version=number))
    current = next((release for release in view.releases if release.name == part.release), None)
    newer = [r for r in waiting if current is None or (r.created, r.name) > (current.created, current.name)]
    if newer:
        return _back(part, Ended(state="Superseded", why=f"{newer[-1].name} is newer", version=number))
    if _seconds(part.since, view.now) > view.deadline_seconds:
        words = "; ".join(_why(view, part)) or "no report"
        why = f"phase {part.phase} took longer than {view.deadline_seconds:.0f} s: {words}"
        return _back(part, Ended(state="Refused", why=why, version=number))
    return None


def _advance(view: View, name: str, part: ModelPart) -> ModelPart | None:
    if part.phase == "probe":
        return _probed(view, name, part)
    reports = _reports(view, name, part)
    bad = next((f"{replica}: {report.why}" for replica, report in reports.items() if report.state == "bad"), None)
    if bad and part.phase in BEFORE_COMMIT:
        number = part.candidate.number if part.candidate else None
        return _back(part, Ended(state="Refused", why=bad, version=number))
    if bad or not _satisfied(view.record, part.phase, reports):
        # After the commit a bad report waits for a person or a reversal: the way forward drops nothing by itself.
        return None
    return _next(view, part)


def _satisfied(record: GroupRecord, phase: Phase, reports: Mapping[str, ModelReport]) -> bool:
    asked = record.replicas[:1] if phase == "roll0" else record.replicas
    return all(replica in reports and reports[replica].state == "ok" for replica in asked)


def _next(view: View, part: ModelPart) -> ModelPart | None:
    if part.phase == "roll0":
        return part.model_copy(update={"phase": "roll1"})
    if part.phase in {"load", "roll1"}:
        return part.model_copy(
            update={"phase": "switch", "stable": part.candidate, "previous": part.stable, "candidate": None}
        )
    if part.phase == "switch":
        return part.model_copy(update={"phase": "soak"})
    if part.phase == "soak":
        if _seconds(part.since, view.now) < view.soak_seconds:
            return None
        gone = {part.previous.number} if part.previous else set()
        return part.model_copy(update={"phase": "finish", "tombstones": sorted({*part.tombstones, *gone})})
    return _to_idle(part)


def _to_idle(part: ModelPart) -> ModelPart:
    """The end of finish, back and revert: everything in progress gets its one terminal state."""
    ended = dict(part.ended)
    number = part.stable.number if part.stable else None
    if part.release:
        ended[part.release] = part.ending or Ended(state="Promoted", version=number)
    if part.rollback:
        ended[part.rollback] = Ended(state="Promoted", why="the way back", version=number)
    return part.model_copy(
        update={"phase": "idle", "candidate": None, "release": "", "rollback": "", "ending": None, "ended": ended}
    )


def _probed(view: View, name: str, part: ModelPart) -> ModelPart | None:
    candidate = part.candidate
    if candidate is None:
        return None
    found = next((p for p in view.probes if (p.model, p.number) == (name, candidate.number)), None)
    if found is None:
        return None
    if not found.ok:
        end = Ended(state="Refused", why=f"probe: {found.why}", version=candidate.number)
        gone = sorted({*part.tombstones, candidate.number})
        return _to_idle(part.model_copy(update={"ending": end, "tombstones": gone}))
    return part.model_copy(update={"phase": "load" if view.record.clients == "labelled" else "roll0"})


def _back(part: ModelPart, end: Ended) -> ModelPart:
    """Before the commit: the candidate leaves every server; from the probe it never reached one."""
    gone = {part.candidate.number} if part.candidate else set()
    back = part.model_copy(update={"phase": "back", "ending": end, "tombstones": sorted({*part.tombstones, *gone})})
    return _to_idle(back) if part.phase == "probe" else back


def _reports(view: View, name: str, part: ModelPart) -> dict[str, ModelReport]:
    """The reports that count: of this record's epoch and of this part's generation."""
    found = {}
    for replica, report in view.reports.items():
        model = report.models.get(name)
        if model and not report.absent and (report.epoch, model.generation) == (view.record.epoch, part.generation):
            found[replica] = model
    return found


def _why(view: View, part: ModelPart) -> list[str]:
    reports = view.reports.items()
    return [
        f"{replica}: {model.why}"
        for replica, report in reports
        for model in report.models.values()
        if model.why and model.generation == part.generation
    ]


def _with(contents: list[str], content: str) -> list[str]:
    return contents if content in contents else [*contents, content]


def _seconds(since: str, now: str) -> float:
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    except ValueError:
        return 0.0


def adopt(reports: Mapping[str, Report], replicas: Sequence[str]) -> GroupRecord | None:
    """A lost record, rebuilt from the agents' copies under a new epoch; None until every replica has promised.

    A promise is durable: no agent obeys the old epoch afterwards, so two records can never be obeyed at once.
    """
    found = [reports[replica] for replica in replicas if replica in reports]
    if len(found) < len(replicas) or not all(report.absent for report in found):
        return None
    copies = [report.copy_of for report in found if report.copy_of]
    if not copies:
        return None
    newest = max(copies, key=lambda record: record.fence)
    epoch = max(newest.epoch + 1, *(report.epoch for report in found))
    generation = newest.generation + 1
    models = {name: part.model_copy(update={"generation": generation}) for name, part in newest.models.items()}
    return newest.model_copy(update={"epoch": epoch, "generation": generation, "models": models})
