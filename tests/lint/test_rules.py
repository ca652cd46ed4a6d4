"""One bad pipeline per rule: a sound one with one thing changed, in which that rule alone finds something."""

from __future__ import annotations

import math
from typing import Any

import pytest
from lint_cases import GONE, Change, changed, found, sound

from ferryman_pipelines.lint.linting import RULES

BODY = "0/components/comp-exit-handler-1/dag/tasks"
CHOICE = "0/components/comp-condition-branches-2/dag"
PROMOTE = f"{CHOICE}/tasks/condition-3"
EXECUTORS = "0/deploymentSpec/executors"
TRAIN = f"{EXECUTORS}/exec-train/container"
INPUTS = "0/root/inputDefinitions/parameters"
HOLD = "0/components/comp-branch-hold/dag/tasks/hold"
WHY = f"{HOLD}/inputs/parameters/why"
JOB = "0/components/comp-branch-promote/dag/tasks/rollout/inputs/parameters/job"
GATE_OUTPUT = "pipelinechannel--gate-Output"
RECORD = "0/root/dag/tasks/record"
SETTINGS = "1/platforms/kubernetes/deploymentSpec/executors"
OF_BODY = {"taskOutputParameter": {"outputParameterKey": "score", "producerTask": "exit-handler-1"}}
OF_GATE = {"taskOutputParameter": {"outputParameterKey": "Output", "producerTask": "gate"}}
OF_TRAIN = {"taskOutputParameter": {"outputParameterKey": "score", "producerTask": "train"}}
POD = "2/spec/jobTemplate/spec/template/spec/containers/0"


def text(value: str) -> dict[str, Any]:
    """A literal argument."""
    return {"runtimeValue": {"constant": value}}


def optional(value: str) -> dict[str, Any]:
    """A parameter with a default."""
    return {"parameterType": "STRING", "defaultValue": value, "isOptional": True}


def choice(sign: str, score: dict[str, Any], value: str = "0.5", after: str = "train") -> dict[str, Any]:
    """A bare If."""
    return {
        "componentRef": {"name": "comp-gate"},
        "dependentTasks": [after],
        "inputs": {"parameters": {"score": score}},
        "triggerPolicy": {"condition": f"inputs.parameter_values['score'] {sign} {value}"},
    }


def incompressible(size: int) -> str:
    """Text of `size` characters in which nothing repeats soon."""
    state, words = 1, []
    while len(words) * 8 < size:
        state = state * 6364136223846793005 % 2**64
        words.append(f"{state:016x}"[:8])
    return "".join(words)[:size]


PIPELINES: list[tuple[str, str, list[Change]]] = [
    ("ir-schema", "root.dag.tasks[record]", [(f"{RECORD}/inptus", {})]),
    ("ir-schema", "schemaVersion", [("0/schemaVersion", "2.0.0")]),
    ("ir-schema", "pipelineInfo.name", [("0/pipelineInfo/name", GONE)]),
    ("ir-schema", "deploymentSpec", [(f"{TRAIN}/imige", "x")]),
    ("ir-schema", "root: ", [("0/root", [1])]),
    ("ir-schema", "no JSON", [(WHY, {"runtimeValue": {"constant": math.nan}})]),
    ("pipeline-name", "pipelineInfo.name", [("0/pipelineInfo/name", "My Pipeline")]),
    ("platform-schema", "exec-gate", [(f"{SETTINGS}/exec-gate/pvcMount", [{"mountpoint": "/a"}])]),
    ("platform-schema", "exec-grate", [(f"{SETTINGS}/exec-grate", {"activeDeadlineSeconds": "1"})]),
    ("platform-schema", "platforms", [("1/platforms/kubernetes/deploymentspec", {})]),
    ("unknown-component", "gate.componentRef", [(f"{BODY}/gate/componentRef/name", "comp-grate")]),
    ("unknown-executor", "comp-gate", [("0/components/comp-gate/executorLabel", "exec-grate")]),
    ("unknown-executor", "comp-spare", [("0/components/comp-spare", {})]),
    (
        "unknown-producer",
        "gate.inputs",
        [(f"{BODY}/gate/inputs/parameters/score/taskOutputParameter/outputParameterKey", "loss")],
    ),
    ("unknown-input", "train.inputs", [(f"{BODY}/train/inputs/parameters/epochs/componentInputParameter", "epochs")]),
    (
        "unknown-input",
        "exec-train.secretAsEnv[0]",
        [(f"{SETTINGS}/exec-train/secretAsEnv/0/secretNameParameter/componentInputParameter", "vault")],
    ),
    ("missing-input", "train.inputs", [(f"{BODY}/train/inputs/parameters/epochs", GONE)]),
    ("unknown-dependency", "train.dependentTasks[0]", [(f"{BODY}/train/dependentTasks", ["prepare"])]),
    ("missing-dependency", "gate.inputs", [(f"{BODY}/gate/dependentTasks", [])]),
    ("cycle", "comp-exit-handler-1", [(f"{BODY}/train/dependentTasks", ["gate"])]),
    (
        "cycle",
        "components",
        [
            (f"{HOLD}/componentRef/name", "comp-branch-hold"),
            (f"{HOLD}/inputs/parameters/{GATE_OUTPUT}", {"componentInputParameter": GATE_OUTPUT}),
        ],
    ),
    (
        "lost-placeholder",
        "exec-train.container.env[0]",
        [(f"{TRAIN}/env/0/value", "{{channel:task=;name=who;type=String;}}")],
    ),
    (
        "lost-placeholder",
        "limits.memory",
        [(f"{TRAIN}/resources/resourceMemoryLimit", "{{channel:task=;name=mem;type=String;}}")],
    ),
    ("joined-placeholder", "rollout.inputs", [(JOB, text("run-{{$.pipeline_job_uuid}}"))]),
    ("unknown-placeholder", "hold.inputs", [(WHY, text("{{$.pipeline_root}}"))]),
    ("unknown-placeholder", "root.inputDefinitions", [(f"{INPUTS}/note", optional("{{$.x}}"))]),
    ("unknown-placeholder", "env[0]", [(f"{TRAIN}/env/0/value", "{{$.inputs.parameters['epochs']}}")]),
    ("python3-in-value", "why", [(WHY, text("run python3"))]),
    ("if-without-else", "comp-condition-branches-2", [(f"{CHOICE}/tasks/condition-4", GONE)]),
    ("if-without-else", "tasks.if-good", [(f"{BODY}/if-good", choice("==", text("1")))]),
    (
        "named-output-condition",
        "if-bad",
        [(f"{BODY}/{name}", choice(sign, OF_TRAIN)) for name, sign in (("if-good", ">="), ("if-bad", "<"))],
    ),
    (
        "condition-syntax",
        "condition-3.triggerPolicy",
        [(f"{PROMOTE}/triggerPolicy/condition", f"inputs.parameter_values['{GATE_OUTPUT}'] == 'it's'")],
    ),
    (
        "condition-syntax",
        "condition-3.triggerPolicy",
        [(f"{PROMOTE}/triggerPolicy/condition", "inputs.parameter_values['verdict'] == true")],
    ),
    (
        "exit-task",
        "record.inputs",
        [
            ("0/components/comp-record/inputDefinitions/parameters/score", {"parameterType": "NUMBER_DOUBLE"}),
            (
                f"{RECORD}/inputs/parameters/score",
                {"taskOutputParameter": {"outputParameterKey": "score", "producerTask": "exit-handler-1"}},
            ),
            ("0/components/comp-exit-handler-1/outputDefinitions/parameters/score", {"parameterType": "NUMBER_DOUBLE"}),
        ],
    ),
    ("exit-task", "status", [(f"{RECORD}/triggerPolicy", GONE)]),
    ("cached-side-effect", "record.cachingOptions", [(f"{RECORD}/cachingOptions/enableCache", True)]),
    ("cached-side-effect", "hold.cachingOptions", [(f"{HOLD}/cachingOptions/enableCache", True)]),
    (
        "secret-value",
        "exec-train.container.args[4]",
        [(f"{TRAIN}/args", ["--executor_input", "{{$}}", "--function_to_execute", "train", "ghp_" + "a1B2" * 9])],
    ),
    ("secret-value", "env[0]", [(f"{TRAIN}/env/0/value", "postgresql://ada:hunter2@db:5432/x")]),
    ("secret-parameter", "db_password", [(f"{INPUTS}/db_password", {"parameterType": "STRING"})]),
    ("secret-parameter", "apiKey.defaultValue", [(f"{INPUTS}/apiKey", optional("1234"))]),
    ("secret-parameter", "env[0]", [(f"{TRAIN}/env/0", {"name": "AWS_SECRET_ACCESS_KEY", "value": "1234"})]),
    ("image-digest", "exec-train.container.image", [(f"{TRAIN}/image", "python:3.11")]),
    (
        "pip-at-start",
        "exec-train.container.command[2]",
        [(f"{TRAIN}/command", ["sh", "-c", "python3 -m pip install --quiet kfp"])],
    ),
    (
        "missing-requests",
        "exec-train",
        [(f"{TRAIN}/resources/{field}", GONE) for field in ("resourceCpuRequest", "resourceCpuLimit")],
    ),
    (
        "missing-memory-limit",
        "exec-train",
        [(f"{TRAIN}/resources/resourceMemoryLimit", GONE), (f"{TRAIN}/resources/resourceMemoryRequest", "1Gi")],
    ),
    ("missing-timeout", "exec-train", [(f"{SETTINGS}/exec-train/activeDeadlineSeconds", GONE)]),
    ("impossible-resources", "exec-train", [(f"{TRAIN}/resources/resourceMemoryRequest", "6Gi")]),
    (
        "impossible-resources",
        "limits.nvidia.com/gpu",
        [(f"{TRAIN}/resources/accelerator", {"resourceType": "nvidia.com/gpu", "resourceCount": "-1"})],
    ),
    ("impossible-resources", "requests.cpu", [(f"{TRAIN}/resources/resourceCpuRequest", "half")]),
    ("long-parameter", "why", [(WHY, text("x" * 100_001))]),
    (
        "parameter-bytes",
        "root",
        [
            (f"{BODY}/train/inputs/parameters/notes", text("x" * 90_000)),
            (f"{BODY}/gate/inputs/parameters/notes", text("y" * 90_000)),
        ],
    ),
    (
        "parameter-bytes",
        "root",
        [
            (f"{BODY}/train/inputs/parameters/notes", text("x" * 90_000)),
            ("0/components/comp-train/outputDefinitions/parameters/score", {"parameterType": "STRING"}),
            ("0/components/comp-gate/inputDefinitions/parameters/score", {"parameterType": "STRING"}),
        ],
    ),
]

SOUND_TOO: dict[str, list[Change]] = {
    "a loop gives its item": [
        (f"{BODY}/train/inputs/parameters/max_tokens", GONE),
        (f"{BODY}/train/parameterIterator", {"itemInput": "max_tokens", "items": {"raw": "[1, 2]"}}),
    ],
    "an unnamed output in two Ifs that complement each other": [
        (f"{BODY}/if-{sign}", choice(sign, OF_GATE, "true", after="gate")) for sign in ("==", "!=")
    ],
    "a secret's name whose value comes when it runs": [
        (f"{BODY}/train/inputs/parameters/db_password", text("{{$.inputs.parameters['epochs']}}"))
    ],
    "an exit task that can do without": [
        (
            "0/components/comp-record/inputDefinitions/parameters/score",
            {"isOptional": True, "parameterType": "NUMBER_DOUBLE"},
        ),
        (f"{RECORD}/inputs/parameters/score", OF_BODY),
        ("0/components/comp-exit-handler-1/outputDefinitions/parameters/score", {"parameterType": "NUMBER_DOUBLE"}),
    ],
    "a deadline of the whole run": [
        (f"{SETTINGS}/exec-train/activeDeadlineSeconds", GONE),
        ("1/platforms/kubernetes/pipelineConfig", {"activeDeadlineSeconds": 3600}),
    ],
    "resources as older compilers write them": [(f"{TRAIN}/resources", {"cpuLimit": 1.0, "memoryLimit": 2.5})],
    "an image that a parameter names": [(f"{TRAIN}/image", "{{$.inputs.parameters['image']}}")],
    "a volume that runs nowhere": [(TRAIN, {"image": "argostub/createpvc"}), (f"{BODY}/train/cachingOptions", {})],
    "a cached step with outputs": [(f"{BODY}/gate/cachingOptions", {"enableCache": True})],
}


OBJECTS: list[tuple[str, str, list[Change]]] = [
    ("object-schema", "[2].spec.pipelineNme", [("1/spec/pipelineNme", "digits")]),
    ("object-schema", "[2].spec.pipelineSpec", [("1/spec/pipelineSpec", GONE)]),
    ("object-schema", "[1].metadata.name", [("0/metadata", {})]),
    ("object-order", "[1].spec.pipelineName", []),
    ("ir-schema", "[2].spec.pipelineSpec.schemaVersion", [("1/spec/pipelineSpec/schemaVersion", "2.2.0")]),
    ("platform-schema", "[2].spec.platformSpec", [("1/spec/platformSpec/platfroms", {})]),
    ("image-digest", "[3].spec", [(f"{POD}/image", "control:latest")]),
    ("missing-requests", "[3].spec", [(f"{POD}/resources/requests", {"memory": "64Mi"})]),
    ("missing-memory-limit", "[3].spec", [(f"{POD}/resources/limits", GONE)]),
    ("missing-timeout", "[3].spec", [("2/spec/jobTemplate/spec/activeDeadlineSeconds", GONE)]),
    ("secret-parameter", "[3].spec", [(f"{POD}/env/0/name", "TOKEN")]),
    ("missing-time-zone", "[3].spec", [("2/spec/timeZone", GONE)]),
]


@pytest.mark.parametrize("name", ["pipeline", "objects"])
def test_in_sound_documents_no_rule_finds_anything(name: str) -> None:
    assert found(sound(name)) == []


@pytest.mark.parametrize("changes", SOUND_TOO.values(), ids=SOUND_TOO)
def test_what_only_looks_bad_is_not_found(changes: list[Change]) -> None:
    assert found(changed(sound("pipeline"), *changes)) == []


@pytest.mark.parametrize(("rule", "where", "changes"), PIPELINES)
def test_a_bad_pipeline_is_found_by_its_rule_alone(rule: str, where: str, changes: list[Change]) -> None:
    findings = found(changed(sound("pipeline"), *changes))
    assert {finding.rule for finding in findings} == {rule}
    assert where in findings[0].where + findings[0].what


@pytest.mark.parametrize(("rule", "where", "changes"), OBJECTS)
def test_a_bad_object_is_found_by_its_rule_alone(rule: str, where: str, changes: list[Change]) -> None:
    documents = changed(sound("objects"), *changes)
    if rule == "object-order":
        documents[0], documents[1] = documents[1], documents[0]
    findings = found(documents)
    assert {finding.rule for finding in findings} == {rule}
    assert findings[0].where.startswith(where)


@pytest.mark.parametrize(
    ("size", "rule"), [(100_000, "argo-status"), (600_000, "argo-status-limit")]
)  # of text that gzip cannot shorten, in two steps
def test_what_argo_could_not_keep_is_estimated(size: int, rule: str) -> None:
    arguments = [
        (f"{BODY}/{task}/inputs/parameters/notes", text(incompressible(size)[start:]))
        for task, start in (("train", 0), ("gate", 1))
    ]
    rules = {finding.rule for finding in found(changed(sound("pipeline"), *arguments))}
    assert rules - {"long-parameter", "parameter-bytes"} == {rule}


def test_a_loop_counts_as_often_as_it_runs() -> None:
    loop = {"parameterIterator": {"items": {"raw": str(list(range(40)))}, "itemInput": "max_tokens"}}
    long = (f"{BODY}/train/inputs/parameters/notes", text("x" * 9_000))
    assert found(changed(sound("pipeline"), long)) == []
    task = {**changed(sound("pipeline"), long)[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]["train"], **loop}
    findings = found(changed(sound("pipeline"), (f"{BODY}/train", task)))
    assert {finding.rule for finding in findings} == {"parameter-bytes"}


def test_a_secret_is_told_by_its_kind_and_never_repeated() -> None:
    token = "glpat-" + "Zx9" * 8
    (finding,) = found(changed(sound("pipeline"), (f"{TRAIN}/env/0/value", f"--token={token}")))
    assert "GitLab" in finding.what
    assert token not in str(finding)


@pytest.mark.parametrize(
    "name", ["primary_key", "max_tokens", "secret_name", "tokenizer", "key", "monkey", "minio_secret"]
)
def test_a_name_that_only_sounds_like_a_secret_is_none(name: str) -> None:
    assert found(changed(sound("pipeline"), (f"{INPUTS}/{name}", optional("x")))) == []


def test_two_ifs_that_are_each_others_else_are_one_choice() -> None:
    less, not_less, more = ((f"{BODY}/if-{sign}", choice(sign, text("1"))) for sign in ("<", ">=", ">"))
    assert found(changed(sound("pipeline"), less, not_less)) == []
    assert len(found(changed(sound("pipeline"), less, more))) == 2


def test_vertex_ai_replaces_placeholders_that_kfp_does_not() -> None:
    joined = (f"{BODY}/train/inputs/parameters/name", text("run-{{$.pipeline_job_uuid}}"))
    project = optional("{{$.pipeline_google_cloud_project_id}}")
    assert [finding.rule for finding in found(changed(sound("pipeline"), joined))] == ["joined-placeholder"]
    assert found(changed(sound("pipeline"), joined, (f"{INPUTS}/project", project))) == []


def test_every_rule_has_its_bad_pipeline_and_its_own_words() -> None:
    elsewhere = {"argo-status", "argo-status-limit", "cron", "time-zone"}
    assert {rule.id for rule in RULES} == {case[0] for case in [*PIPELINES, *OBJECTS]} | elsewhere
    for words in ("id", "reason", "fix"):
        assert len({getattr(rule, words) for rule in RULES}) >= len(RULES) - 1
    assert all(rule.reason and rule.fix and "\n" not in rule.reason for rule in RULES)
