"""The step `convert`: `.tflite` files of the model, each measured against it; the smallest that agrees is chosen."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ferryman.artifacts.evidence import Conversion, Rung, smallest_kept
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import Scores, StepRun, step
from ferryman.data.examples import Examples
from ferryman.metrics import metric_named
from ferryman.steps.convert.contract import Truth, judge_rung
from ferryman.steps.convert.converters import Converters
from ferryman.steps.convert.observe import Subject, observe_test, observe_train
from ferryman.steps.convert.rung import ENDPOINT
from ferryman.steps.convert.tensors import write_tensors

if TYPE_CHECKING:
    from ferryman.spec import Spec


def convert_model(
    resolved: str, root: str, run_id: str, job: str, examples: str, model: str, conversion: str, scores: Scores
) -> None:
    """Convert `core` by every rung of the spec, measure each on the test split, and publish the smallest that agrees.

    Writes the artifact `conversion`: `conversion.json`, `rungs/NAME.tflite`, `ops.json`, `preprocess.json` and, when a
    rung keeps the contract, `model.tflite`. A rung that fails or answers otherwise, and a model
    without a `core`, are news for the gate and no error.

    Raises:
        ArtifactError: the model or the examples are torn, altered or without the three endpoints.
        StepError: there are no rows to measure with.
    """
    with step("convert", root, run_id, job) as run:
        spec = ResolvedRun.parse(resolved).read_spec()
        run.use_code(spec.code)
        digest = run.input(Path(model), kind="model").digest
        run.input(Path(examples), kind="examples")
        folder = run.output(Path(conversion), kind="conversion")
        card = ModelCard.read(Path(model) / FILE)
        ops: dict[str, dict[str, int]] = {}
        if card.core is None:
            report = _nothing_to_convert(spec, digest, card.no_core)
        else:
            endpoint = card.core.signature
            truth, rungs, ops = measure(spec, Examples(Path(examples)), Path(model), run.work, endpoint)
            report = _report(spec, digest, truth, rungs)
        report.write(folder / "conversion.json")
        _publish(run.work, Path(model), folder, report, ops)
        _tell(run, scores, report)


def measure(
    spec: Spec, examples: Examples, model: Path, work: Path, endpoint: str = ENDPOINT
) -> tuple[Truth, list[Rung], dict[str, dict[str, int]]]:
    """What the model says on the test split, every rung measured against it, and the ops of each rung that ran.

    `model` is a model artifact's folder, `work` an empty one.
    """
    wanted = spec.convert.rungs
    calibration, tensors = work / "calibration", work / "test"
    with Converters(model / "saved_model", work, endpoint=endpoint) as converters:
        # float32 needs nothing of us: it converts while TensorFlow starts here.
        for name in wanted:
            if name == "float32":
                converters.start(name)
        subject = Subject.load(model)
        representative, gap = observe_train(subject, examples.split("train"), spec.convert.calibration_rows)
        write_tensors(calibration, representative)
        for name in wanted:
            if name != "float32":
                converters.start(name, calibration)
        truth = observe_test(subject, examples.split("test"), spec.gate.converted, tensors, gap)
        attempts = [converters.finish(name, tensors) for name in wanted]
    return truth, [judge_rung(attempt, truth) for attempt in attempts], converters.ops


def _report(spec: Spec, model: str, truth: Truth, rungs: Sequence[Rung]) -> Conversion:
    chosen = smallest_kept(rungs)
    return Conversion(
        model=model,
        required=spec.convert.required,
        metric=truth.metric,
        may_lose=truth.may_lose,
        rungs=list(rungs),
        chosen=chosen.name if chosen else None,
        transform_ids_differ=truth.gap.ids_differ,
        transform_largest_difference=truth.gap.largest,
        rows=len(truth.target),
    )


def _nothing_to_convert(spec: Spec, model: str, why: str) -> Conversion:
    """The report on a model without a `core`: news for the gate, which holds it where a conversion is required."""
    return Conversion(
        model=model,
        required=spec.convert.required,
        metric=spec.gate.converted.metric,
        may_lose=spec.gate.converted.may_lose,
        rungs=[],
        chosen=None,
        impossible=why,
        transform_ids_differ=0,
        transform_largest_difference=0.0,
        rows=0,
    )


def _publish(work: Path, model: Path, folder: Path, report: Conversion, ops: dict[str, dict[str, int]]) -> None:
    (folder / "rungs").mkdir()
    for rung in report.rungs:
        made = work / f"{rung.name}.tflite"
        if made.is_file():
            shutil.copyfile(made, folder / "rungs" / made.name)
    if report.chosen:
        shutil.copyfile(work / f"{report.chosen}.tflite", folder / "model.tflite")
    shutil.copyfile(model / "preprocess.json", folder / "preprocess.json")
    (folder / "ops.json").write_text(json.dumps(ops, indent=1) + "\n", encoding="utf-8")


def _tell(run: StepRun, scores: Scores, report: Conversion) -> None:
    run.headline = headline(report)
    run.facts["chosen"] = report.chosen
    run.facts["rungs"] = {rung.name: {"state": rung.state, "reason": rung.reason} for rung in report.rungs}
    run.log_metrics(scores, _metrics(report))


def headline(report: Conversion) -> str:
    """One line for people: what was chosen, its size beside the largest rung's, and what it costs; or why none was."""
    chosen = next((rung for rung in report.rungs if rung.name == report.chosen), None)
    if report.impossible:
        return f"nothing to convert: {report.impossible}"
    if chosen is None:
        return "; ".join(["no rung keeps the contract", *(f"{rung.name}: {rung.reason}" for rung in report.rungs)])
    size, largest = chosen.size_bytes or 0, max(rung.size_bytes or 0 for rung in report.rungs)
    of = f" of {largest / 1000:,.0f}" if largest > size else ""
    # Adding 0.0 turns the -0.0 of a tiny gain into 0.0.
    lost = round(chosen.lost or 0.0, 3) + 0.0
    return f"{chosen.name}: {size / 1000:,.0f} kB{of}, lost {lost:.3f} of {report.may_lose:g}"


def _metrics(report: Conversion) -> dict[str, float]:
    """The finite numbers of every rung for the pipeline UI, which cannot show others."""
    numbers = {
        f"{rung.name}_{name}": value
        for rung in report.rungs
        for name, value in (
            (metric_named(report.metric).name, rung.converted),
            ("lost", rung.lost),
            ("largest_difference", rung.largest_difference),
            ("size_kb", rung.size_bytes / 1000 if rung.size_bytes is not None else None),
            ("latency_ms", rung.latency * 1000 if rung.latency is not None else None),
        )
        if value is not None
    }
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
