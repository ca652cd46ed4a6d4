"""Rollbacks: the way back that a person asks for, from wherever a rollout is."""

from __future__ import annotations

from ferryman.controller.transition import end_release, go_back, to_idle
from ferryman.serving.record import BEFORE_COMMIT, Ended, ModelPart
from ferryman.serving.release import Release


def must_wait(part: ModelPart) -> bool:
    """Whether something is on its way back already: a further rollback is judged by what serves afterwards."""
    return part.phase in {"back", "revert"}


def roll_back(part: ModelPart, rollback: Release, torn: str | None) -> ModelPart:
    """The model's part on its way back; `torn` says why the previous version's files cannot be served.

    A rollback names the version that it leaves, so that repeating it does not toggle; naming another than the one it
    meets is a conflict.
    """
    leaves = rollback.leaves
    before = part.phase in BEFORE_COMMIT
    if before and part.candidate and part.candidate.number == leaves:
        return _leave_candidate(part, rollback)
    if part.stable and part.stable.number == leaves:
        if not part.previous:
            why = f"version {leaves} is the first one: there is nothing to go back to"
            return end_release(part, rollback.name, Ended(state="Conflict", why=why))
        if part.previous.content in part.refused:
            why = f"version {part.previous.number} was itself rolled back; release it again with a reason"
            return end_release(part, rollback.name, Ended(state="Conflict", why=why))
        if torn:
            why = f"version {part.previous.number} cannot serve again: {torn}"
            return end_release(part, rollback.name, Ended(state="Conflict", why=why))
        if before:
            # What the candidate was compared with goes; the rollback itself waits until nothing moves.
            number = part.candidate.number if part.candidate else None
            return go_back(part, Ended(state="Conflict", why=f"version {leaves} is rolled back", version=number))
        return _leave_stable(part, rollback)
    serves = f"version {part.stable.number} serves" if part.stable else "nothing serves"
    end = Ended(state="Conflict", why=f"it leaves version {leaves}, but {serves} (phase {part.phase})")
    return end_release(part, rollback.name, end)


def _leave_candidate(part: ModelPart, rollback: Release) -> ModelPart:
    end = Ended(state="RolledBack", why=f"rolled back: {rollback.reason}", version=rollback.leaves)
    refused = _with(part.refused, part.candidate.content if part.candidate else "")
    part = part.model_copy(update={"rollback": rollback.name, "refused": refused})
    return go_back(part, end)


def _leave_stable(part: ModelPart, rollback: Release) -> ModelPart:
    left, kept = part.stable, part.previous
    if left is None or kept is None:
        return to_idle(part)
    ending = Ended(state="RolledBack", why=f"rolled back: {rollback.reason}", version=left.number)
    return part.model_copy(
        update={
            "phase": "revert",
            "stable": kept,
            "previous": left,
            "rollback": rollback.name,
            "ending": ending if part.release else None,
            "tombstones": sorted({*part.tombstones, left.number} - {kept.number}),
            # A person who goes back to a content accepts it again.
            "refused": [content for content in _with(part.refused, left.content) if content != kept.content],
        }
    )


def _with(contents: list[str], content: str) -> list[str]:
    return contents if content in contents else [*contents, content]
