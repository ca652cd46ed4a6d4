"""Compiling a spec: stable bytes, caching off everywhere, parameters with their meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from newcomer import SPECS

from ferryman.spec import load_spec
from ferryman.spec.targets import STEPS
from ferryman.storage.inputs import PinnedSource
from ferryman_pipelines.compile.compiling import compile_spec

GOLDEN = Path(__file__).with_name("digits.pipeline.yaml")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digits' pipeline, its source pinned to a place that is the same everywhere."""
    spec = load_spec(SPECS / "digits.yaml")
    source = PinnedSource(name=str(spec.data.source), uri="file:///inputs/sha256/" + "0" * 64, sha256="0" * 64)
    pinned = spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})
    first, second = (tmp_path_factory.mktemp("compiled") / name for name in ("first.yaml", "second.yaml"))
    compile_spec(pinned, first, "digits.yaml")
    compile_spec(pinned, second, "digits.yaml")
    assert first.read_bytes() == second.read_bytes()
    return re.sub(r"sdkVersion: kfp-[\d.]+", "sdkVersion: kfp-ANY", first.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def document(compiled: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(compiled)
    return found


def test_the_compiled_pipeline_is_what_it_was(compiled: str) -> None:
    # After a change that is meant: write `compiled` to the golden file and read the difference.
    assert compiled == GOLDEN.read_text(encoding="utf-8")


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
