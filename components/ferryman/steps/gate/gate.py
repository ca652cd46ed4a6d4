"""The step `gate`: all the evidence, one decision."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.evidence import Conversion, Evaluation, ServingCheck, Verdict
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import step
from ferryman.errors import ArtifactError
from ferryman.steps.gate.judge import judge


def decide_release(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    model: str,
    evaluation: str,
    conversion: str,
    check: str,
    verdict: str,
) -> bool:
    """Whether the candidate may serve; leaves `verdict.json` with every reason.

    Raises:
        ArtifactError: an artifact is torn, or a report judged another model than this one.
    """
    with step("gate", root, run_id, job) as run:
        fixed = ResolvedRun.parse(resolved)
        digest = run.input(Path(model), kind="model").digest
        for path, kind in ((evaluation, "evaluation"), (conversion, "conversion"), (check, "serving_check")):
            run.input(Path(path), kind=kind)
        found = Evaluation.read(Path(evaluation) / "evaluation.json")
        if found.model != digest:
            raise ArtifactError(f"the evaluation judged the model {found.model[:12]}, this one is {digest[:12]}")
        decision = judge(
            fixed.read_spec().gate,
            ModelCard.read(Path(model) / FILE).content,
            found,
            Conversion.read(Path(conversion) / "conversion.json"),
            ServingCheck.read(Path(check) / "serving_check.json"),
            fixed.serves,
        )
        decision.write(run.output(Path(verdict), kind="verdict") / "verdict.json")
        run.facts["verdict"] = decision.model_dump(mode="json")
        run.headline = headline(decision)
        for reason in decision.reasons:
            print(f"{'ok  ' if reason.ok else 'HOLD'} {reason.check}: {reason.text}", flush=True)
    return decision.kind == "promote"


def headline(verdict: Verdict) -> str:
    """One line for people: the decision and what it rests on."""
    failed = [reason.text for reason in verdict.reasons if not reason.ok]
    if failed:
        return f"{verdict.kind.replace('_', ' ')}: {'; '.join(failed)}"
    return f"{verdict.kind}: {len(verdict.reasons)} of {len(verdict.reasons)} checks hold"
