"""A lost record: rebuilt from the agents' copies, never from what happens to be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ferryman.controller.transition import end_release, go_back
from ferryman.serving.record import BEFORE_COMMIT, Ended, GroupRecord, ModelPart
from ferryman.serving.report import Report


def is_lost(record: GroupRecord, reports: Mapping[str, Report], known: tuple[int, int]) -> bool:
    """Whether the record is an older one, put back: this controller wrote, or an agent obeyed or promised, a newer.

    `known` is the newest (epoch, generation) that the controller itself knows of.
    """
    told = max(((report.epoch, report.generation) for report in reports.values()), default=(0, 0))
    return record.fence < max(known, told)


def adopt(
    reports: Mapping[str, Report],
    replicas: Sequence[str],
    ends: Mapping[str, Mapping[str, Ended]],
    claimed: Mapping[str, int],
) -> GroupRecord | None:
    """The next record after a loss; None until every replica has promised, or while nobody knows what serves.

    A promise is durable: no agent obeys the old epoch afterwards, so two records can never be obeyed at once. `ends`
    are the mirrored terminal states by model and release: what was told once stays so. `claimed` is the largest number
    in the store, by model. Where no agent ever obeyed a record and no server names a version, the group begins anew.
    """
    found = [reports[replica] for replica in replicas if replica in reports]
    if len(found) < len(replicas) or not all(report.absent for report in found):
        return None
    epoch = max(report.epoch for report in found)
    copies = [report.copy_of for report in found if report.copy_of]
    if not copies:
        if any(report.holds for report in found):
            return None
        names = sorted({*claimed, *ends})
        models = {n: _part(ModelPart(generation=1), ends.get(n, {}), claimed.get(n, 0)) for n in names}
        return GroupRecord(epoch=max(epoch, 1), replicas=list(replicas), models=models)
    newest = max(copies, key=lambda record: record.fence)
    generation = newest.generation + 1
    models = {
        name: _part(part, ends.get(name, {}), claimed.get(name, 0)).model_copy(update={"generation": generation})
        for name, part in newest.models.items()
    }
    return newest.model_copy(
        update={
            "epoch": max(epoch, newest.epoch + 1),
            "generation": generation,
            "models": models,
            "replicas": list(replicas),
        }
    )


def _part(part: ModelPart, ends: Mapping[str, Ended], claimed: int) -> ModelPart:
    """A model's part as an agent knew it, brought in line with the terminal states that were told since."""
    part = part.model_copy(update={"claimed": max(part.claimed, claimed)})
    told = ends.get(part.release)
    if told and part.phase in BEFORE_COMMIT:
        part = go_back(part, told)
    for release, end in sorted(ends.items()):
        if release not in part.ended and release not in {part.release, part.rollback}:
            part = end_release(part, release, end)
    return part
