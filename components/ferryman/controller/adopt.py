"""A lost record: rebuilt from the agents' copies, never from what happens to be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ferryman.controller.transition import end_release, go_back, to_idle
from ferryman.serving.record import BEFORE_COMMIT, Ended, GroupRecord, ModelPart
from ferryman.serving.report import Report


def is_lost(
    record: GroupRecord,
    reports: Mapping[str, Report],
    known: tuple[int, int],
    ends: Mapping[str, Mapping[str, Ended]],
) -> bool:
    """Whether the record is an older one, put back: a newer was written, obeyed or promised, or told a release's end.

    `known` is the newest (epoch, generation) that the controller itself knows of; `ends` are as for `adopt`.
    """
    told = max(((report.epoch, report.generation) for report in reports.values()), default=(0, 0))
    return record.fence < max(known, told) or any(_forgotten(record, name, ends[name]) for name in ends)


def _forgotten(record: GroupRecord, model: str, ends: Mapping[str, Ended]) -> bool:
    """Whether a release whose end was told is one that the record still knows nothing of."""
    part = record.models.get(model, ModelPart())
    return not ends.keys() <= {*part.ended, part.release, part.rollback}


def adopt(
    reports: Mapping[str, Report],
    replicas: Sequence[str],
    ends: Mapping[str, Mapping[str, Ended]],
    claimed: Mapping[str, int],
    known: tuple[int, int],
) -> GroupRecord | None:
    """The next record after a loss; None until every replica has promised, or while nobody knows what serves.

    A promise is durable: no agent obeys the old epoch afterwards, so two records can never be obeyed at once. `ends`
    are the mirrored terminal states by model and release: what was told once stays so. `claimed` is the largest number
    in the store, by model. `known` is as for `is_lost`: no generation is written twice, also when nobody obeyed it.
    Where no agent ever obeyed a record and no server names a version, the group begins anew.
    """
    found = [reports[replica] for replica in replicas if replica in reports]
    if len(found) < len(replicas) or not all(report.absent for report in found):
        return None
    copies = [report.copy_of for report in found if report.copy_of]
    if not copies and any(report.holds for report in found):
        return None
    newest = max(copies, key=lambda record: record.fence, default=GroupRecord(replicas=[]))
    generation = newest.generation + 1 if copies else 1
    names = sorted({*newest.models, *claimed, *ends})
    parts = {n: _part(newest.models.get(n, ModelPart()), ends.get(n, {}), claimed.get(n, 0)) for n in names}
    return newest.model_copy(
        update={
            "epoch": max(known[0] + 1, *(r.epoch for r in found), *(copy.epoch + 1 for copy in copies)),
            "generation": generation,
            "models": {n: part.model_copy(update={"generation": generation}) for n, part in parts.items()},
            "replicas": list(replicas),
        }
    )


def _part(part: ModelPart, ends: Mapping[str, Ended], claimed: int) -> ModelPart:
    """A model's part as an agent knew it, brought in line with the terminal states that were told since."""
    part = part.model_copy(update={"claimed": max(part.claimed, claimed)})
    told = ends.get(part.release)
    if told and part.phase in BEFORE_COMMIT:
        part = go_back(part, told)
    elif told:
        # It was told after the last agent had said ok: there is nothing left to do, and nothing left to turn round.
        part = to_idle(part.model_copy(update={"ending": told}))
    for release, end in sorted(ends.items()):
        if release not in part.ended and release not in {part.release, part.rollback}:
            part = end_release(part, release, end)
    return part
