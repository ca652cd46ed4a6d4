"""Runs as they lie in the store when they have ended: requests, fragments, logs and sealed artifacts, without running."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ferryman.artifacts.evidence import AnswerCheck, Conversion, Evaluation, Evidence, Rung, Score, ServingCheck
from ferryman.artifacts.fragment import End, Fragment
from ferryman.artifacts.manifest import seal
from ferryman.artifacts.model_card import ModelCard
from ferryman.artifacts.record import write_record
from ferryman.artifacts.run_store import Run
from ferryman.spec import load_spec, spec_from

ROWS = "mass,species\n" + "".join(f"{3000 + 10 * row},{'ab'[row % 2]}\n" for row in range(40))

SPEC = """\
spec: 1
name: {name}
data:
  source: rows.csv
  features: {{mass: {{kind: number}}}}
  label: {{kind: class, column: species}}
model: {{kind: mlp, hidden: [4]}}
train: {{epochs: {epochs}}}
gate: {gate}
"""

GATE = "{require: [{metric: accuracy, at_least: 0.75}]}"


def write_spec(folder: Path, file: str = "birds.yaml", gate: str = GATE, name: str = "birds", epochs: int = 20) -> Path:
    """A spec beside its data."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "rows.csv").exists():
        (folder / "rows.csv").write_text(ROWS)
    (folder / file).write_text(SPEC.format(name=name, epochs=epochs, gate=gate))
    return folder / file


@dataclass
class FinishedRun:
    """A run of a spec with chosen numbers, in the home folder `home`."""

    home: Path
    run_id: str
    spec: Path
    accuracy: float = 0.8
    lost: dict[str, float] = field(default_factory=lambda: {"int8": 0.004, "float32": 0.0})
    difference: float = 3e-6
    overrides: dict[str, Any] = field(default_factory=dict)
    verdict: str = "promote"
    serves: dict[str, Any] | None = None
    created: str = "2026-11-25T08:00:00.000Z"
    split_rule: str = "r1"

    @property
    def run(self) -> Run:
        return Run(self.home / "runs" / self.run_id, self.run_id)

    def write(self) -> Run:
        """Leave all that such a run leaves."""
        run = self.run
        self._request(run)
        model = self._artifact("train", "model", {"model.json": self._card()})
        evaluation = self._artifact(
            "evaluate", "evaluation", {"evaluation.json": self._evaluation(model), "report.html": "<!doctype html>"}
        )
        conversion = self._artifact("convert", "conversion", {"conversion.json": self._conversion(model)})
        check = self._artifact("serving_check", "serving_check", {"serving_check.json": self._check(model)})
        facts = {"name": self._document()["name"], "overrides": self.overrides, "serves": self.serves}
        self._ended("resolve", 0.1, facts=facts)
        sizes = {"train": 28, "validation": 4, "test": 8}
        source = {"name": "rows.csv", "sha256": self._sha256()}
        self._ended("prepare", 0.5, facts={"source": source, "sizes": sizes, "split_rule": self.split_rule})
        self._ended("train", 20.25, outputs={"model": model})
        self._ended("evaluate", 2.0, outputs={"evaluation": evaluation}, metrics={"accuracy": self.accuracy})
        self._ended("convert", 7.0, outputs={"conversion": conversion})
        self._ended("serving_check", 4.0, outputs={"serving_check": check})
        reasons = [{"check": "accuracy", "ok": self.verdict == "promote", "text": f"accuracy {self.accuracy}"}]
        verdict = {"kind": self.verdict, "model": model, "content": "c", "reasons": reasons}
        self._ended("gate", 0.0, facts={"verdict": verdict})
        run.write_end(End(state="SUCCEEDED", at="2026-11-25T08:01:00.000Z"))
        write_record(run)
        return run

    def log(self, step: str, content: bytes) -> None:
        """Add to the log of a step."""
        path = self.run.folder / "logs" / f"{step}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)

    def _request(self, run: Run) -> None:
        document = {"spec": self._document(), "overrides": self.overrides, "created": self.created, "name": "birds"}
        run._write("request.json", _json(document))

    def _document(self) -> dict[str, Any]:
        document = load_spec(self.spec).document()
        document["data"]["source"] = {"name": "rows.csv", "uri": "file:///gone", "sha256": self._sha256()}
        return spec_from(document).document()

    def _sha256(self) -> str:
        return hashlib.sha256((self.spec.parent / "rows.csv").read_bytes()).hexdigest()

    def _artifact(self, step: str, kind: str, files: dict[str, Evidence | str]) -> str:
        folder = self.run.folder / "artifacts" / "birds-2026" / step / kind
        folder.mkdir(parents=True)
        for name, content in files.items():
            text = content if isinstance(content, str) else content.model_dump_json(indent=1)
            (folder / name).write_text(text)
        return seal(folder, kind, "test")

    def _ended(self, step: str, seconds: float, **said: Any) -> None:
        fragment = Fragment(
            step=step, run=self.run_id, state="done", started=self.created, ended="2026-11-25T08:00:59.500Z", **said
        )
        self.run.write_fragment(fragment.model_copy(update={"seconds": seconds, "headline": f"{step} went well"}))

    def _card(self) -> ModelCard:
        common: dict[str, Any] = {"fitted": {}, "label": {}, "split": {}, "outputs": [], "device": []}
        return ModelCard(name="birds", task="class", features={}, seed=0, content=f"content of {self.run_id}", **common)

    def _evaluation(self, model: str) -> Evaluation:
        score = Score(value=self.accuracy, low=self.accuracy - 0.03, high=self.accuracy + 0.02)
        metrics = {"accuracy": score, "log_loss": Score(value=0.5)}
        return Evaluation(model=model, examples="e" * 64, task="class", rows=8, metrics=metrics)

    def _conversion(self, model: str) -> Conversion:
        sizes, may_lose = {"int8": 230_000, "float32": 885_000}, 0.005
        rungs = [
            Rung.model_validate(
                {
                    "name": name,
                    "state": "kept" if lost <= may_lose else "out_of_bounds",
                    "reason": "" if lost <= may_lose else f"accuracy lost {lost}, may lose {may_lose}",
                    "size_bytes": sizes[name],
                    "latency": sizes[name] / 1e10,
                    "lost": lost,
                }
            )
            for name, lost in self.lost.items()
        ]
        kept = [rung.name for rung in rungs if rung.state == "kept"]
        numbers = {"transform_ids_differ": 0, "transform_largest_difference": 0.0, "rows": 8}
        return Conversion(
            model=model, required=False, metric="accuracy", may_lose=may_lose, rungs=rungs, chosen=kept[0], **numbers
        )

    def _check(self, model: str) -> ServingCheck:
        numbers = {"largest_absolute": self.difference, "largest_relative": 2e-6, "labels_changed": 0}
        answers = [AnswerCheck(protocol=name, rows=8, ok=True, **numbers) for name in ("grpc", "rest")]
        times = {"p50": 0.0012, "p99": 0.0019, "memory_bytes": 400_000_000, "load_seconds": 0.25}
        return ServingCheck(
            model=model, server="s 1", stand_in=True, answers=answers, absolute=1e-5, relative=1e-4, **times
        )


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document)
