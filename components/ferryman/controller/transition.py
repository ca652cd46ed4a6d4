"""The few changes of a model's part that several decisions share."""

from __future__ import annotations

from ferryman.serving.record import Ended, ModelPart


def end_release(part: ModelPart, release: str, end: Ended) -> ModelPart:
    """A release that is not in progress gets its terminal state."""
    return part.model_copy(update={"ended": {**part.ended, release: end}})


def go_back(part: ModelPart, end: Ended) -> ModelPart:
    """Before the commit: the candidate leaves every server; from the probe it never reached one."""
    gone = {part.candidate.number} if part.candidate else set()
    tombstones = sorted({*part.tombstones, *gone})
    back = part.model_copy(update={"phase": "back", "ending": end, "tombstones": tombstones})
    return to_idle(back) if part.phase == "probe" else back


def to_idle(part: ModelPart) -> ModelPart:
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
