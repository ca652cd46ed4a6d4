"""The step `evaluate`: the candidate on the test split, and the champion on the same rows."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ferryman.artifacts.evidence import ChampionComparison, Evaluation, OwnMetric, Score
from ferryman.artifacts.manifest import Manifest
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun, Serving
from ferryman.artifacts.step import Scores, StepRun, step
from ferryman.data.examples import LABEL, Examples
from ferryman.errors import ArtifactError
from ferryman.metrics import METRICS, Metric
from ferryman.metrics.intervals import compare, interval, rows_needed
from ferryman.metrics.scores import confusion_matrix, per_class
from ferryman.reports.evaluation import evaluation_page
from ferryman.serving.store import card_of_version
from ferryman.spec.user_metrics import user_metrics
from ferryman.steps.evaluate.answers import answers
from ferryman.steps.evaluate.champion import in_order, may_have_seen, not_comparable

if TYPE_CHECKING:
    import pyarrow as pa

    from ferryman.spec.blocks import Margin


class Confusion(Protocol):
    """What KFP's `ClassificationMetrics` offers."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Keep the matrix for the pipeline UI."""


def evaluate_model(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    examples: str,
    model: str,
    evaluation: str,
    scores: Scores,
    confusion: Confusion,
    report: str,
) -> None:
    """Judge the candidate, and the champion on the same rows; leaves `evaluation.json` and `report.html`.

    Answers that are not finite, and a champion that cannot be compared, are news for the gate and no error.
    """
    with step("evaluate", root, run_id, job) as run:
        fixed = ResolvedRun.parse(resolved)
        spec = fixed.read_spec()
        run.use_code(spec.code)
        own, margin = user_metrics(spec), spec.gate.champion
        made = run.input(Path(model), kind="model")
        rows = run.input(Path(examples), kind="examples")
        folder = run.output(Path(evaluation), kind="evaluation")
        table = Examples(Path(examples)).split("test")
        card = ModelCard.read(Path(model) / FILE)
        target, answer = (
            card.targets(table.column(LABEL).to_pylist()),
            answers(Path(model) / "saved_model", card, table),
        )
        found = _evaluation(card, made, rows, target, answer, own)
        if fixed.serves and not found.not_finite:
            champion = judge_champion(card, fixed.serves, table, target, answer, margin)
            found = found.model_copy(update={"champion": champion})
        found.write(folder / "evaluation.json")
        page = evaluation_page(found, fixed.spec["name"], target, answer)
        (folder / "report.html").write_text(page, encoding="utf-8")
        Path(report).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "report.html", report)
        _tell(run, found, scores, confusion)


def _evaluation(
    card: ModelCard,
    model: Manifest,
    examples: Manifest,
    target: np.ndarray,
    answer: np.ndarray,
    own: Mapping[str, Metric],
) -> Evaluation:
    broken = int(np.sum(~np.isfinite(answer.reshape(len(answer), -1)).all(axis=1)))
    # The user's own first: whoever wrote one wants to see it in the headline.
    known = {**own, **{name: metric for name, metric in METRICS.items() if metric.task == card.task}}
    metrics = {} if broken else {name: _score(metric, target, answer) for name, metric in known.items()}
    common = Evaluation(
        model=model.digest,
        examples=examples.digest,
        task=card.task,
        rows=len(target),
        not_finite=broken,
        metrics=metrics,
        own_metrics={
            reference: OwnMetric(name=metric.name, better=metric.better, relative=metric.relative)
            for reference, metric in own.items()
        },
        seen=may_have_seen(card.split, card, "the model"),
        trained_elsewhere=card.trained_on == {},
    )
    if card.task == "number" or broken:
        return common
    matrix = confusion_matrix(target, answer.argmax(axis=1), len(card.classes))
    parts = per_class(matrix)
    table = {name: {part: float(values[at]) for part, values in parts.items()} for at, name in enumerate(card.classes)}
    return common.model_copy(
        update={"classes": card.classes, "per_class": table, "confusion": [list(map(int, row)) for row in matrix]}
    )


def _score(metric: Metric, target: np.ndarray, answer: np.ndarray) -> Score:
    low, high = interval(metric, target, answer)
    return Score(value=metric.compute(target, answer), low=low, high=high)


def judge_champion(
    card: ModelCard, serves: Serving, table: pa.Table, target: np.ndarray, answer: np.ndarray, margin: Margin
) -> ChampionComparison:
    """The candidate against what serves, on the rows of `table`; why not, where the two cannot be compared."""
    place = Path(serves.path)
    common = ChampionComparison(version=serves.version, digest=serves.digest, metric=margin.metric, rows=len(target))
    try:
        other = card_of_version(place, serves.digest)
    except ArtifactError as error:
        # A champion that was altered may look worse than it is, and a worse candidate better than it.
        return common.model_copy(update={"not_comparable": f"its files are not whole: {error}"})
    reason = not_comparable(card, other)
    if reason:
        return common.model_copy(update={"not_comparable": reason})
    theirs = in_order(answers(place, other, table), other, card)
    if not np.isfinite(theirs).all():
        return common.model_copy(update={"not_comparable": "the champion answers some of these rows with NaN"})
    difference = compare(margin.metric, target, answer, theirs)
    return common.model_copy(
        update={
            "candidate": difference.candidate,
            "champion": difference.champion,
            "difference": difference.difference,
            "lower": difference.lower,
            "differing": difference.differing,
            "method": difference.method,
            "rows_needed": rows_needed(difference, margin.may_lose, len(target)),
        }
    )


def _tell(run: StepRun, found: Evaluation, scores: Scores, confusion: Confusion) -> None:
    # What the user's metric answers is news for the gate, also when it is no number.
    finite = {name: score.value for name, score in found.metrics.items() if math.isfinite(score.value)}
    run.log_metrics(scores, {found.metric_name(name): value for name, value in finite.items()})
    if found.confusion:
        confusion.log_confusion_matrix(found.classes, found.confusion)
    run.headline = headline(found)


def headline(found: Evaluation) -> str:
    """One line for people: the metrics, and the champion beside them."""
    if found.not_finite:
        return f"{found.not_finite:,} of {found.rows:,} rows are answered with NaN or infinity"
    first = ", ".join(f"{found.metric_name(name)} {score.value:.4g}" for name, score in list(found.metrics.items())[:3])
    text = f"{first} on {found.rows:,} rows"
    if not found.champion:
        return text
    champion = found.champion
    if champion.not_comparable or champion.champion is None:
        return f"{text}; version {champion.version} cannot be compared: {champion.not_comparable}"
    metric = found.metric_name(champion.metric)
    return f"{text}; version {champion.version} {metric} {champion.champion:.4g} on the same rows"
