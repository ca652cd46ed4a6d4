"""The step round the decision: sealed evidence in, a sealed verdict and a record out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ferryman.artifacts.evidence import (
    AnswerCheck,
    Conversion,
    Evaluation,
    Evidence,
    Rung,
    Score,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.manifest import seal, verify
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError
from ferryman.spec import spec_from
from ferryman.steps.gate.gate import decide_release

DOCUMENT = {
    "spec": 1,
    "name": "penguins",
    "data": {
        "source": {"name": "rows.csv", "uri": "file:///rows.csv", "sha256": "5" * 64},
        "features": {"mass": {"kind": "number"}},
        "label": {"kind": "class", "column": "species"},
    },
    "model": {"kind": "mlp", "hidden": [4]},
    "gate": {"require": [{"metric": "accuracy", "at_least": 0.75}]},
}


@dataclass
class Evidences:
    """The folders of the step's four inputs, and one call of the step on them."""

    folder: Path
    digest: str

    def write(self, kind: str, document: Evidence) -> None:
        """Write and seal one report."""
        (self.folder / kind).mkdir(exist_ok=True)
        document.write(self.folder / kind / f"{kind}.json")
        seal(self.folder / kind, kind, "test")

    def evaluation(self, accuracy: float, model: str = "") -> None:
        """The candidate has this accuracy."""
        metrics = {"accuracy": Score(value=accuracy)}
        model = model or self.digest
        self.write("evaluation", Evaluation(model=model, examples="e" * 64, task="class", rows=64, metrics=metrics))

    def conversion(self, model: str) -> None:
        """The conversion of this model."""
        rungs = [Rung(name="int8", state="kept", lost=0.001)]
        numbers = {"transform_ids_differ": 0, "transform_largest_difference": 0.0, "rows": 64, "may_lose": 0.005}
        report = Conversion(model=model, required=True, metric="accuracy", rungs=rungs, chosen="int8", **numbers)
        self.write("conversion", report)

    def decide(self) -> bool:
        """Run the step."""
        resolved = ResolvedRun(
            spec=spec_from(DOCUMENT).document(), as_of="2026-11-24T12:00:00Z", spec_sha256="a", resolved_sha256="b"
        ).text()
        inputs = [str(self.folder / kind) for kind in ("model", "evaluation", "conversion", "serving_check")]
        return decide_release(resolved, str(self.folder / "runs"), "r1", "", *inputs, str(self.folder / "verdict"))


@pytest.fixture
def evidences(tmp_path: Path) -> Evidences:
    """Evidence that promotes."""
    (tmp_path / "model").mkdir()
    lists = {"fitted": {}, "label": {}, "split": {}, "outputs": [], "device": []}
    card = {"name": "penguins", "task": "class", "features": {}, "seed": 1, "content": "c" * 64, **lists}
    ModelCard.model_validate(card).write(tmp_path / "model" / "model.json")
    made = Evidences(tmp_path, seal(tmp_path / "model", "model", "test"))
    made.evaluation(0.875)
    made.conversion(made.digest)
    answers = [
        AnswerCheck(protocol=p, rows=8, ok=True, largest_absolute=1e-6, largest_relative=2e-6, labels_changed=0)
        for p in ("grpc", "rest")
    ]
    made.write(
        "serving_check",
        ServingCheck(model=made.digest, server="s", stand_in=False, answers=answers, absolute=1e-5, relative=1e-4),
    )
    return made


def test_good_evidence_promotes_and_the_verdict_is_sealed_and_on_the_record(evidences: Evidences) -> None:
    assert evidences.decide() is True
    verify(evidences.folder / "verdict", "verdict")
    found = Verdict.read(evidences.folder / "verdict" / "verdict.json")
    assert (found.kind, found.model, found.content) == ("promote", evidences.digest, "c" * 64)
    fragment = RunStore(evidences.folder / "runs").run("r1").fragment("gate")
    assert fragment is not None
    assert fragment.headline == "promote: 5 of 5 checks hold"
    assert fragment.facts["verdict"] == found.model_dump(mode="json")


def test_a_model_that_is_too_bad_is_held_with_its_reason_first(
    evidences: Evidences, capsys: pytest.CaptureFixture[str]
) -> None:
    evidences.evaluation(0.5)
    assert evidences.decide() is False
    fragment = RunStore(evidences.folder / "runs").run("r1").fragment("gate")
    assert fragment is not None
    assert fragment.headline == "hold: accuracy 0.5, required at least 0.75"
    said = capsys.readouterr().out
    assert "HOLD accuracy: accuracy 0.5, required at least 0.75" in said
    assert "ok   served grpc: " in said


def test_an_evaluation_of_another_model_is_refused_and_leaves_no_verdict(evidences: Evidences) -> None:
    evidences.evaluation(0.875, model="x" * 64)
    with pytest.raises(ArtifactError, match="the evaluation judged the model xxxxxxxxxxxx, this one is"):
        evidences.decide()
    assert not (evidences.folder / "verdict").exists()


def test_a_conversion_of_another_model_is_refused(evidences: Evidences) -> None:
    evidences.conversion("y" * 64)
    with pytest.raises(ArtifactError, match="conversion judged the model yyyyyyyyyyyy"):
        evidences.decide()


@pytest.mark.parametrize("kind", ["evaluation", "conversion", "serving_check"])
def test_a_report_altered_after_its_seal_is_refused(evidences: Evidences, kind: str) -> None:
    path = evidences.folder / kind / f"{kind}.json"
    path.write_text(path.read_text().replace("64", "65").replace('"s"', '"t"'))
    with pytest.raises(ArtifactError, match=kind):
        evidences.decide()
