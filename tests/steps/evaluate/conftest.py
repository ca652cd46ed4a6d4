"""The step on small real models: a road to it, a champion that serves beside it, and one call of the step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from road import Road, lay_road

from ferryman.artifacts.evidence import Evaluation
from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun, Serving
from ferryman.data.examples import Examples
from ferryman.serving.release import Release
from ferryman.serving.store import EXTRA, KIND
from ferryman.steps.evaluate.evaluate import evaluate_model


@dataclass
class Interface:
    """What KFP's `Metrics` and `ClassificationMetrics` are given."""

    scores: dict[str, float] = field(default_factory=dict)
    categories: list[str] = field(default_factory=list)
    matrix: list[list[int]] = field(default_factory=list)

    def log_metric(self, metric: str, value: float) -> None:
        """Keep one number."""
        self.scores[metric] = value

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Keep the matrix."""
        self.categories, self.matrix = categories, matrix


@dataclass(frozen=True)
class Done:
    """What one call of the step left."""

    found: Evaluation
    folder: Path
    page: Path
    interface: Interface


@pytest.fixture(scope="session")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Road]:
    """The road of a task, laid once: `class`, `number`, or `broken` (classes; three test rows have an endless bill)."""
    laid: dict[str, Road] = {}

    def road(task: str) -> Road:
        if task not in laid:
            folder = tmp_path_factory.mktemp(task)
            laid[task] = lay_road(folder, "class", change=_endless) if task == "broken" else lay_road(folder, task)
        return laid[task]

    return road


def _endless(tables: dict[str, Any]) -> dict[str, Any]:
    import pyarrow as pa

    test = tables["test"]
    bills = np.array(test.column("bill").to_pylist())
    bills[[5, 17, 60]] = np.inf
    return {**tables, "test": test.set_column(test.column_names.index("bill"), "bill", pa.array(bills))}


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Road]:
    """`serve(road, champion, change)`: the road on which the model of `champion` serves as version 4.

    `change` alters its card, as a dict, in place.
    """

    def call(road: Road, champion: Road, change: Callable[[dict[str, Any]], None] | None = None) -> Road:
        place = tmp_path / "store" / "penguins" / "4"
        shutil.copytree(champion.model / "saved_model", place)
        card = json.loads((champion.model / "model.json").read_text())
        if change:
            change(card)
        (place / EXTRA).mkdir(parents=True, exist_ok=True)
        ModelCard.model_validate(card).write(place / EXTRA / "model.json")
        digest = digest_of(champion.model)
        made = {"name": "r-1", "model": "penguins", "created": "2026", "artifact": str(champion.model)}
        Release.model_validate({**made, "digest": digest, "content": "e" * 64}).write(place / EXTRA / "release.json")
        seal(place, KIND, "a test")
        serves = Serving(
            model="penguins", version=4, digest=digest, content="e" * 64, epoch=1, generation=1, path=str(place)
        )
        resolved = ResolvedRun.parse(road.resolved).model_copy(update={"serves": serves}).text()
        return replace(road, resolved=resolved)

    return call


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[[Road], Done]:
    """Run the step on a road."""

    def call(road: Road) -> Done:
        interface, folder, page = Interface(), tmp_path / "evaluation", tmp_path / "pages" / "report"
        inputs = str(road.examples), str(road.model)
        root = str(tmp_path / "runs")
        evaluate_model(road.resolved, root, "r1", "", *inputs, str(folder), interface, interface, str(page))
        return Done(Evaluation.read(folder / "evaluation.json"), folder, page, interface)

    return call


@pytest.fixture(scope="session")
def truth() -> Callable[[Road], tuple[list[Any], np.ndarray]]:
    """The labels of a road's test rows and what its model answers, row by row and past the step's own code."""

    def call(road: Road) -> tuple[list[Any], np.ndarray]:
        import tensorflow as tf

        rows = Examples(road.examples).split("test").to_pylist()
        serve = tf.saved_model.load(str(road.model / "saved_model")).signatures["serving_default"]
        answers = []
        for row in rows:
            mass = np.nan if row["mass"] is None else row["mass"]
            given = {
                "mass": tf.constant([mass], tf.float32),
                "bill": tf.constant([row["bill"]], tf.float32),
                "island": tf.constant([row["island"] or ""]),
            }
            outputs = serve(**given)
            answers.append(outputs["probabilities" if "probabilities" in outputs else "value"].numpy()[0])
        return [row["label"] for row in rows], np.array(answers, dtype=np.float64)

    return call
