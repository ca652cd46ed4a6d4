"""Compiling a spec: stable bytes, caching off everywhere, parameters with their meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import golden_pipelines
import pytest
import yaml
from newcomer import SPECS

from ferryman.spec import load_spec
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.compile.compiling import compile_spec


@pytest.fixture(scope="module")
def compiled() -> str:
    """The digits' pipeline for this machine."""
    return golden_pipelines.here("digits")


@pytest.fixture(scope="module")
def document(compiled: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(compiled)
    return found


def test_every_ready_spec_compiles_for_every_place_in_every_form_to_what_it_was() -> None:
    # After a change that is meant: python tests/support/golden_pipelines.py, and read the difference.
    made = golden_pipelines.golden_files()
    assert {path.name for path in golden_pipelines.GOLDEN.iterdir()} == set(made)
    for name, content in made.items():
        assert content == (golden_pipelines.GOLDEN / name).read_text(encoding="utf-8"), name


def tasks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    dags = [document["root"], *document["components"].values()]
    return {name: task for dag in dags if "dag" in dag for name, task in dag["dag"]["tasks"].items()}


def test_no_step_is_cached_not_even_the_exit_handler(document: dict[str, Any]) -> None:
    steps = {
        name: task
        for name, task in tasks(document).items()
        if "dag" not in document["components"][task["componentRef"]["name"]]
    }
    assert set(steps) == {
        *("resolve", "prepare", "train", "evaluate", "convert", "serving-check", "gate", "rollout", "hold", "record")
    }
    assert not any((task.get("cachingOptions") or {}).get("enableCache") for task in steps.values())


def test_what_judges_runs_side_by_side_and_before_the_one_decision(document: dict[str, Any]) -> None:
    found = tasks(document)
    for judge in ("evaluate", "convert", "serving-check"):
        assert not {"evaluate", "convert", "serving-check"} & set(found[judge].get("dependentTasks", []))
        assert judge in found["gate"]["dependentTasks"]


def test_every_parameter_says_what_it_means_and_knobs_have_the_specs_values(document: dict[str, Any]) -> None:
    parameters = document["root"]["inputDefinitions"]["parameters"]
    assert all(parameter.get("description") for parameter in parameters.values())
    assert parameters["train_epochs"]["defaultValue"] == 15
    assert parameters["train_learning_rate"]["defaultValue"] == 0.003
    assert "run_root" in parameters


def test_a_place_dresses_every_step_and_only_while_it_compiles(tmp_path: Path) -> None:
    spec = load_spec(SPECS / "digits.yaml")
    seen: list[str] = []

    def dress(step: str, task: Any) -> None:
        seen.append(step)
        task.set_container_image(f"registry.example/{step}@sha256:{'0' * 64}")

    compile_spec(spec, tmp_path / "dressed.yaml", "digits.yaml", dress)
    compile_spec(spec, tmp_path / "plain.yaml", "digits.yaml")
    executors = yaml.safe_load((tmp_path / "dressed.yaml").read_text())["deploymentSpec"]["executors"]
    images = {name.removeprefix("exec-"): executor["container"]["image"] for name, executor in executors.items()}
    assert images == {step.replace("_", "-"): f"registry.example/{step}@sha256:{'0' * 64}" for step in STEPS}
    assert sorted(seen) == sorted(STEPS)
    assert "registry.example" not in (tmp_path / "plain.yaml").read_text()


@pytest.mark.parametrize("sign", ["\n", "\r", "\x07", "\x85", "\u2028", "\udcff"])
def test_whatever_a_specs_file_is_called_the_comment_that_names_it_stays_one(tmp_path: Path, sign: str) -> None:
    compile_spec(load_spec(SPECS / "digits.yaml"), tmp_path / "pipeline.yaml", f"my {sign}root: {{}} #ü.yaml")
    text = (tmp_path / "pipeline.yaml").read_text(encoding="utf-8")
    assert "the pipeline of my ?root: {} #ü.yaml (spec" in text
    assert yaml.safe_load(text)["pipelineInfo"]["name"] == "digits"
