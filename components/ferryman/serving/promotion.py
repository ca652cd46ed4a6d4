"""What a gate held and a person releases all the same: the run's own evidence, found by digest, and what it forbids.

A person may outvote a bound, never a fact: a model that did not serve, or that answers NaN, is released by nobody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ferryman.artifacts.evidence import Conversion, Evaluation, ServingCheck, Verdict, check_judged
from ferryman.artifacts.manifest import NAME, digest_of, verify
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError, UsageError
from ferryman.serving.record import ModelPart
from ferryman.serving.release import Release


@dataclass(frozen=True)
class Candidate:
    """The model that a run's gate judged, with all that was said of it; every byte was verified."""

    run: str
    model: Path
    digest: str
    card: ModelCard
    conversion: str
    """Digest of the conversion artifact."""

    serving_check: str
    """Digest of the serving_check artifact."""

    check: ServingCheck
    evaluation: Evaluation
    verdict: Verdict

    @property
    def compared_with(self) -> int | None:
        """The version that it met on the same rows; None when nothing served then."""
        return self.evaluation.champion.version if self.evaluation.champion else None


def judged_candidate(run: Run) -> Candidate:
    """What the gate of `run` decided about, from the artifacts in the run's folder that its fragment names by digest.

    Raises:
        UsageError: the run has not come to a decision.
        ArtifactError: an artifact is gone, torn or altered, or a report judges another model.
    """
    gate = run.fragment("gate")
    if gate is None or gate.state != "done":
        raise UsageError(f"run {run.id} has no decision of its gate: there is nothing that a person could outvote")
    known = {**gate.inputs, **gate.outputs}
    places = {kind: _place(run, kind, known.get(kind, "")) for kind in ("model", *_DOCUMENTS)}
    digests = {kind: verify(place, kind).digest for kind, place in places.items()}
    evaluation = Evaluation.read(places["evaluation"] / "evaluation.json")
    conversion = Conversion.read(places["conversion"] / "conversion.json")
    check = ServingCheck.read(places["serving_check"] / "serving_check.json")
    verdict = Verdict.read(places["verdict"] / "verdict.json")
    judged = (evaluation.model, conversion.model, check.model, verdict.model)
    check_judged(digests["model"], {f"{name}.json": model for name, model in zip(_DOCUMENTS, judged, strict=True)})
    return Candidate(
        run=run.id,
        model=places["model"],
        digest=digests["model"],
        card=ModelCard.read(places["model"] / FILE),
        conversion=digests["conversion"],
        serving_check=digests["serving_check"],
        check=check,
        evaluation=evaluation,
        verdict=verdict,
    )


def never(candidate: Candidate) -> str:
    """Why nobody may release it, with whatever reason; empty when a person may."""
    evaluation, check = candidate.evaluation, candidate.check
    if evaluation.not_finite:
        return f"{evaluation.not_finite:,} of {evaluation.rows:,} test rows are answered with NaN or infinity"
    if check.failure:
        return f"{check.server} does not serve it: {check.failure}"
    for answer in check.answers:
        if not (answer.ok and math.isfinite(answer.largest_absolute)):
            return f"its answers over {answer.protocol} are not the recorded ones: {answer.reason or 'not finite'}"
    if {answer.protocol for answer in check.answers} != {"grpc", "rest"}:
        return "no server has answered its golden set over both gRPC and REST"
    return ""


def is_held(candidate: Candidate, part: ModelPart) -> bool:
    """Whether only a person can release it: by the gate's word, or because a person rolled this very model back."""
    return candidate.verdict.kind in {"hold", "insufficient"} or candidate.card.content in part.refused


def comparison(candidate: Candidate, part: ModelPart) -> str:
    """What serves now and what the candidate was compared with, in one sentence for the person who decides."""
    champion, now = candidate.evaluation.champion, part.stable.number if part.stable else None
    serves = f"version {now} serves" if now else "nothing serves"
    if champion is None:
        return f"{serves}; the candidate was compared with nothing"
    if (champion.version, champion.digest) != (now, part.stable.digest if part.stable else None):
        return f"{serves}; the candidate was compared with version {champion.version}"
    if champion.not_comparable:
        return f"{serves}; the candidate could not be compared with it: {champion.not_comparable}"
    return f"{serves}; the candidate was compared with it"


def despite_hold(candidate: Candidate, part: ModelPart, *, name: str, created: str, reason: str) -> Release:
    """The release that a person asks for; its precondition is what serves now."""
    return Release(
        name=name,
        model=candidate.card.name,
        created=created,
        artifact=str(candidate.model.resolve()),
        digest=candidate.digest,
        content=candidate.card.content,
        conversion=candidate.conversion,
        serving_check=candidate.serving_check,
        champion_version=part.stable.number if part.stable else None,
        champion_digest=part.stable.digest if part.stable else None,
        absolute=candidate.check.absolute,
        relative=candidate.check.relative,
        reason=reason,
    )


def release_name(run: str, attempt: int) -> str:
    """A name that no run gives: those end with `-` and a number."""
    return f"{run}-despite-hold.{attempt}"


_DOCUMENTS = ("evaluation", "conversion", "serving_check", "verdict")


def _place(run: Run, kind: str, digest: str) -> Path:
    """The folder of the artifact `digest` below the run's; by digest, since a home may have been moved."""
    for manifest in sorted((run.folder / "artifacts").rglob(NAME)):
        if digest and digest_of(manifest.parent) == digest:
            return manifest.parent
    raise ArtifactError(
        f"run {run.id}: its {kind} {digest[:12]} is not in {run.folder / 'artifacts'} any more: run its spec again",
        kind,
    )
