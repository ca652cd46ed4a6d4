"""The ready specs as far as this step: real rows, really trained models of both families."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.artifacts.evidence import Conversion
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.spec import load_spec, spec_from
from ferryman.steps.convert.convert import convert_model
from ferryman.steps.prepare.prepare import prepare_examples
from ferryman.steps.train.train import train_model
from ferryman.storage.inputs import pin

SPECS = Path(__file__).parents[3] / "pipelines" / "specs"


class Scores(dict[str, float]):
    def log_metric(self, metric: str, value: float) -> None:
        self[metric] = value


def resolved(name: str, home: Path) -> str:
    document = load_spec(SPECS / f"{name}.yaml").document()
    document["data"]["source"] = pin(document["data"]["source"], SPECS, home).model_dump()
    spec = spec_from(document).document()
    return ResolvedRun(spec=spec, as_of="2026-11-24T12:00:00Z", spec_sha256="a" * 64, resolved_sha256="b" * 64).text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "penguins", "penguin_mass", "mnist"])
def test_both_rungs_of_a_ready_spec_keep_the_contract(name: str, tmp_path: Path) -> None:
    run = {"root": str(tmp_path / "runs"), "run_id": "r1", "job": ""}
    text, scores = resolved(name, tmp_path), Scores()
    examples, model, out = (str(tmp_path / part) for part in ("examples", "model", "conversion"))
    prepare_examples(text, **run, examples=examples)
    train_model(text, **run, examples=examples, model=model, scores=scores)
    convert_model(text, **run, examples=examples, model=model, conversion=out, scores=scores)
    report = Conversion.read(tmp_path / "conversion" / "conversion.json")
    assert {rung.name: (rung.state, rung.reason) for rung in report.rungs} == {
        "int8": ("kept", ""),
        "float32": ("kept", ""),
    }
    assert (report.transform_ids_differ, report.transform_largest_difference) == (0, pytest.approx(0.0, abs=1e-6))
    assert (tmp_path / "conversion" / "model.tflite").stat().st_size == min(
        rung.size_bytes or 0 for rung in report.rungs
    )
