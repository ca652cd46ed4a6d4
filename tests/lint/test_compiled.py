"""What KFP's own compiler writes without a word, found in real files.

Without `from __future__ import annotations`, with which KFP refuses components.
"""

from pathlib import Path
from typing import NamedTuple

import golden_pipelines
import pytest
from kfp import compiler, dsl, kubernetes

from ferryman_pipelines.compile.judging import HERE
from ferryman_pipelines.lint import Finding, lint_documents
from ferryman_pipelines.lint.reading import read_documents

STEP = {
    "base_image": "registry.example/step@sha256:" + "5" * 64,
    "packages_to_install": [],
    "install_kfp_package": False,
}


@dsl.component(**STEP)
def measure() -> NamedTuple("Measured", [("score", float), ("unit", str)]):  # type: ignore[valid-type]
    return 1.0, "m"


@dsl.component(**STEP)
def tell(text: str) -> str:
    return text


@dsl.pipeline(name="traps")
def traps(memory: str = "1Gi", who: str = "me", secret: str = "vault") -> None:
    with dsl.ExitHandler(tell(text="end")):
        measured = measure().set_memory_limit(memory)
        kubernetes.use_secret_as_env(measured, secret_name=secret, secret_key_to_env={"password": "DB_PASSWORD"})
        with dsl.If(measured.outputs["score"] > 0.5):
            tell(text=f"{who} in {dsl.PIPELINE_JOB_ID_PLACEHOLDER}").set_env_variable("WHO", f"{who}")
        with dsl.If(measured.outputs["unit"] == "5 o'clock"):
            tell(text="odd")
        with dsl.If(measured.outputs["score"] > 0.9):
            tell(text="good")
        with dsl.Elif(measured.outputs["score"] > 0.8):
            tell(text="fair")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    file = tmp_path_factory.mktemp("compiled") / "traps.yaml"
    compiler.Compiler().compile(traps, str(file))
    return lint_documents(read_documents(file), {})


@pytest.mark.parametrize(
    ("rule", "where", "what"),
    [
        ("unknown-input", "exit-handler-1.dag.tasks.measure.", "'pipelinechannel--memory'"),
        ("lost-placeholder", "exec-tell-2.container.env[0]", "{{channel:task=;name=who"),
        ("joined-placeholder", "tasks.tell-2.inputs.parameters.text", "{{$.pipeline_job_uuid}} stands inside"),
        ("condition-syntax", "tasks.condition-3.triggerPolicy", "'5 o'clock'"),
        ("named-output-condition", "tasks.condition-2", "'score' of 'measure'"),
        ("if-without-else", "comp-condition-branches-4", "2 conditions and no Else"),
        ("cached-side-effect", "root.dag.tasks.tell.", "at the end of the run"),
        ("missing-timeout", "exec-tell.container", "no timeout"),
    ],
)
def test_a_trap_of_the_compiler_is_found(findings: list[Finding], rule: str, where: str, what: str) -> None:
    found = [finding for finding in findings if finding.rule == rule]
    assert any(where in finding.where and what in finding.what for finding in found), found


def test_what_the_compiler_hands_down_rightly_is_not_found(findings: list[Finding]) -> None:
    assert [
        finding.what for finding in findings if finding.rule == "unknown-input" and "--memory" not in finding.what
    ] == []
    assert not [
        finding
        for finding in findings
        if "condition-branches" in finding.where and finding.rule == "named-output-condition"
    ]


def test_our_own_pipeline_lacks_only_what_a_place_adds(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(golden_pipelines.here("digits"), encoding="utf-8")
    rules = {finding.rule for finding in lint_documents(read_documents(file), {})}
    assert rules == set(HERE)
