"""What serves now: whether a candidate of this spec could be compared with it, and what its comparisons have shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ferryman.artifacts.evidence import OTHER_CHAMPION, Evaluation
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.run_store import RunStore
from ferryman.checks.finding import HELD, Finding, error
from ferryman.checks.ground import Ground, given
from ferryman.checks.scan import Scanned
from ferryman.data.options import PinnedSource
from ferryman.errors import ArtifactError
from ferryman.metrics.power import measured_rivals
from ferryman.serving.store import card_of_version
from ferryman.steps.evaluate.champion import not_comparable
from ferryman.steps.resolve.champion import what_serves
from ferryman.storage.inputs import open_source
from ferryman.storage.local import sha256_stream

LATEST: Final = 50
"""Runs that are searched for comparisons, newest first."""


def check_champion(ground: Ground) -> Iterator[Finding]:
    """Whether the gate would have to hold every candidate, because the champion cannot be judged on its rows."""
    spec, found = given(ground.spec), given(ground.scan)
    serves = what_serves(ground.request.group, spec.name)
    if serves is None:
        ground.headline = "nothing serves yet: a first model needs no champion"
        return
    ground.headline = f"version {serves.version} serves"
    where = f"version {serves.version} of {spec.name}"
    try:
        champion = card_of_version(Path(serves.path), serves.digest)
    except ArtifactError as failure:
        yield error(where, f"its files are not whole: {failure}", "promote another version, or roll back", HELD)
        return
    reason = not_comparable(_candidate(ground, found, champion), champion)
    if reason:
        yield error(where, f"{reason}; the run would be held", OTHER_CHAMPION, HELD)
    _learn_from_runs(ground, serves.digest)


def _candidate(ground: Ground, found: Scanned, champion: ModelCard) -> ModelCard:
    """The card that a candidate would have, as far as a comparison reads it."""
    spec, reading = given(ground.spec), ground.reading
    document = spec.document()
    classes = found.rows.classes(reading.label) or []
    if not found.complete and set(classes) < set(champion.classes):
        # The others may lie further down.
        classes = champion.classes
    split = {**reading.split.model_dump(mode="json"), "rule": reading.rule(found.rows.key)}
    return ModelCard(
        name=spec.name,
        task=spec.task,
        classes=classes,
        features={name: feature.model_dump(mode="json") for name, feature in reading.features.items()},
        fitted={},
        label=document["data"]["label"],
        split={**split, "source_sha256": _source_sha256(ground)},
        format=document["data"]["format"],
        seed=spec.train.seed,
        content="",
        outputs=[],
        device=[],
    )


def _source_sha256(ground: Ground) -> str:
    source = given(ground.data).source
    if isinstance(source, PinnedSource):
        return source.sha256
    request = ground.request
    with open_source(source, Path(request.spec).resolve().parent, Path(request.home) / "cache") as stream:
        return sha256_stream(stream)


def _learn_from_runs(ground: Ground, digest: str) -> None:
    """The champion's scores, and the newest comparison that it was part of."""
    metric = given(ground.spec).gate.champion.metric
    for run in reversed(RunStore(Path(ground.request.home) / "runs").runs()[-LATEST:]):
        for path in run.folder.glob("artifacts/**/evaluation.json"):
            try:
                evaluation = Evaluation.read(path)
            except ArtifactError:
                continue
            if evaluation.model == digest and not ground.champion_scores:
                ground.champion_scores = {name: score.value for name, score in evaluation.metrics.items()}
            compared = evaluation.champion
            if not compared or digest not in {evaluation.model, compared.digest} or compared.metric != metric:
                continue
            numbers = (compared.differing, compared.difference, compared.lower)
            if ground.rivals is None and None not in numbers:
                differing, difference, lower = (
                    compared.differing or 0,
                    compared.difference or 0.0,
                    compared.lower or 0.0,
                )
                ground.rivals = measured_rivals(metric, compared.rows, differing, difference, lower)
