"""`ferryman gate`: a run's evidence under other bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferryman.artifacts.evidence import Conversion, Evaluation, ServingCheck, Verdict
from ferryman.artifacts.made import made
from ferryman.artifacts.manifest import verify
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.record import EXIT_CODES, VERDICTS, read_record
from ferryman.artifacts.resolved import Serving
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError, UsageError
from ferryman.spec import Spec, spec_from
from ferryman.spec.differences import Difference, differences
from ferryman.spec.pinning import named_by_digest
from ferryman.steps.gate.again import Gathered, judge_again
from ferryman_pipelines.cli.options import spec_file
from ferryman_pipelines.cli.output import Format, show, show_json
from ferryman_pipelines.cli.runs import find_run
from ferryman_pipelines.cli.summary import reason_lines

NO_EVIDENCE = ("gate", "convert.required", "data.source.name")
"""Fields that bound the evidence, or only name what it was gathered from."""


def gate(
    run: Annotated[str, typer.Argument(help="The run's id, or `last`.", metavar="RUN")],
    spec: Annotated[
        Path, typer.Option("--spec", help="A spec that differs in its bounds alone.", metavar="NEW", show_default=False)
    ],
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print the verdict.")] = Format.text,
) -> int:
    """Decide again from a run's evidence, with the bounds of a spec.

    Nothing is run, written or released.

    The exit code is the one that a run with this verdict has: 0 promote, 3 hold, 8 nothing new.

    Example: ferryman gate last --spec stricter.yaml
    """
    found = find_run(run)
    new = _bounds(found, spec_file(spec))
    verdict = judge_again(new.gate, new.convert.required, gathered(found))
    before = read_record(found).verdict or {}
    if output is Format.json:
        document = {"run": found.id, "spec": str(spec), "before": before.get("kind")}
        show_json({**document, "verdict": verdict.model_dump(mode="json")})
    else:
        show(_told(found, spec, verdict, str(before.get("kind") or "no verdict")))
    return EXIT_CODES[VERDICTS.get(verdict.kind, "promoted")]


def gathered(run: Run) -> Gathered:
    """All that the run's gate had before it; ArtifactError when a part is missing, torn or altered."""
    model, evaluation, conversion, check = (
        _verified(run, kind) for kind in ("model", "evaluation", "conversion", "serving_check")
    )
    resolve = run.fragment("resolve")
    serves = resolve.facts.get("serves") if resolve else None
    card = ModelCard.read(model / FILE)
    return Gathered(
        content=card.content,
        scale=card.scale,
        evaluation=Evaluation.read(evaluation / "evaluation.json"),
        conversion=Conversion.read(conversion / "conversion.json"),
        check=ServingCheck.read(check / "serving_check.json"),
        serves=Serving.model_validate(serves) if serves else None,
    )


def _verified(run: Run, kind: str) -> Path:
    folder = made(run, kind)
    verify(folder, kind)
    return folder


def _bounds(run: Run, path: Path) -> Spec:
    """The spec at `path`; UsageError when the evidence of `run` says nothing about it."""
    document = run.request().get("spec")
    if not isinstance(document, dict):
        raise ArtifactError(f"run {run.id} was not started from here: nobody here knows its spec")
    before = spec_from(document, f"the spec of run {run.id}")
    new = named_by_digest(path, before)
    other = [difference for difference in differences(before.document(), new.document()) if _counts(difference)]
    if other:
        told = "\n".join(f"  {part.field}: the run had {part.a!r}, {path} has {part.b!r}" for part in other)
        raise UsageError(
            f"the evidence of run {run.id} is of another model than {path} describes; run that one for\n{told}"
        )
    return new


def _counts(difference: Difference) -> bool:
    return not any(difference.field == field or difference.field.startswith(f"{field}.") for field in NO_EVIDENCE)


def _told(run: Run, spec: Path, verdict: Verdict, before: str) -> str:
    kind = verdict.kind.replace("_", " ")
    lines = [f"run {run.id} under the bounds of {spec}: {kind} (its own gate said: {before.replace('_', ' ')})"]
    lines += reason_lines(verdict)
    if verdict.rows_needed and verdict.kind != "promote":
        lines.append(f"  about {verdict.rows_needed:,} test rows would decide it")
    return "\n".join([*lines, "", "  nothing was run, written or released"])
