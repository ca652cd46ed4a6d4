"""What a file may hold: pipelines and objects in any mixture, and texts that were written to harm."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_cases import changed, found, sound

from ferryman.errors import SpecError, UsageError
from ferryman_pipelines.lint import lint_documents
from ferryman_pipelines.lint.linting import RULES
from ferryman_pipelines.lint.reading import MAX_BYTES, read_documents


def written(folder: Path, text: str) -> Path:
    path = folder / "given.yaml"
    path.write_text(text)
    return path


def test_the_platform_document_may_stand_first() -> None:
    pipeline, platform = sound("pipeline")
    assert found([platform, None, pipeline]) == []
    assert {finding.rule for finding in found([pipeline])} == {"missing-timeout"}


def test_a_list_of_objects_is_looked_at_object_by_object() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": changed(sound("objects"), ("2/spec/schedule", "1 2 3"))}
    (finding,) = found([listed])
    assert (finding.rule, finding.where) == ("cron", "items[2].spec.schedule")


def test_a_pipeline_job_of_vertex_ai_is_a_pipeline() -> None:
    pipeline, _ = changed(sound("pipeline"), ("0/root/dag/tasks/record/componentRef/name", "comp-lost"))
    findings = found([{"displayName": "x", "pipelineSpec": pipeline, "runtimeConfig": {}}])
    assert findings[0].where == "pipelineSpec.root.dag.tasks.record.componentRef.name"


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "received nothing, expected a pipeline compiled by KFP v2"),
        ([None], "received nothing"),
        (["text", 3], "received a str, a int"),
        ([[{}]], "received a list"),
        ([{"spec": 1, "name": "x"}], "received a spec (ferryman compile"),
        ([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}], "received Workflow"),
        ([{"apiVersion": "v1", "kind": "CronJob"}], "received CronJob"),
        ([{"apiVersion": ["v1"], "kind": {"a": 1}}], "received {'a': 1}"),
        ([{"platforms": {}}], "received `platforms:` without its pipeline"),
        ([{"platforms": {}}, {"root": {}}, {"platforms": {}}], "without its pipeline"),
    ],
)
def test_what_is_nothing_to_lint_is_said(documents: list[Any], message: str) -> None:
    with pytest.raises(SpecError) as refused:
        lint_documents(documents, {})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("root: &a {b: *a}", "line 1: anchors and aliases"),
        ("root: {}\nroot: {}", "line 2: the key 'root' stands already in line 1"),
        ("a: 1\n---\nb: !!python/object/apply:os.system [ls]", "line 3: the tag"),
        ("root: " + "[" * 60, "nested deeper than 50 levels"),
        ("root: {", "not YAML"),
        ('apiVersion: v1\nkind: "\\ud800"', "line 2: '\\ud800' has half of a surrogate pair"),
        ("x" * (MAX_BYTES + 1), "received more than 4,000,000 bytes"),
    ],
)
def test_a_hostile_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        read_documents(written(tmp_path, text))
    assert message in str(refused.value)


def test_a_compiled_pipeline_may_be_json(tmp_path: Path) -> None:
    assert (
        found(read_documents(written(tmp_path, '{"root": {"dag": {}},\n "schemaVersion": "2.1.0"}')))[0].where
        == "pipelineInfo.name"
    )


def test_nobody_gets_far_with_components_that_hold_each_other_twice() -> None:
    # 2 ** 40 steps, if they were unfolded.
    tasks = {side: {"componentRef": {"name": "comp-0"}} for side in ("a", "b")}
    components = {
        f"comp-{n}": {"dag": {"tasks": {side: {"componentRef": {"name": f"comp-{n + 1}"}} for side in ("a", "b")}}}
        for n in range(40)
    }
    pipeline, _ = sound("pipeline")
    components["comp-40"] = {"executorLabel": "exec-train"}
    pipeline.update(components=components, root={"dag": {"tasks": tasks}})
    assert {finding.rule for finding in found([pipeline])} >= {"argo-status-limit"}


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(["", "{{$", "{{$}}", "\x00", "x" * 200, "ALL_UPSTREAM_TASKS_COMPLETED", "\ud800", "[[[", "1e999"]),
    st.just({}),
    st.just([]),
    st.just({"a": [{"b": None}]}),
)


def places(node: Any, path: str = "") -> list[str]:
    """The path of everything in plain data."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [place for key, child in children for place in places(child, f"{path}/{key}".lstrip("/"))]
    return ([path] if path else []) + below


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_damaged_is_a_finding_or_one_clear_error(data: st.DataObject) -> None:
    documents = sound(data.draw(st.sampled_from(["pipeline", "objects"])))
    where = [place for place in places(documents) if "nvidia.com/" not in place]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(where))
        # What lay there may be gone with an earlier change.
        with suppress(KeyError, IndexError, TypeError, AttributeError):
            changed(documents, (place, deepcopy(data.draw(JUNK))))
    try:
        findings = lint_documents(documents, {})
    except SpecError:
        return
    assert all(finding.what and finding.where for finding in findings)


def test_a_waiver_carries_its_reason_and_hides_nothing() -> None:
    documents = changed(sound("pipeline"), ("0/root/dag/tasks/record/cachingOptions/enableCache", True))
    (finding,) = lint_documents(documents, {"cached-side-effect": "it only prints"})
    assert (finding.rule, finding.waived) == ("cached-side-effect", "it only prints")
    (other,) = lint_documents(documents, {"image-digest": "our proxy pins"})
    assert other.waived == ""


@pytest.mark.parametrize(
    ("waivers", "message"),
    [
        ({"image-digset": "x"}, "waive image-digset: no such rule; did you mean 'image-digest'"),
        ({"image-digest": " "}, "waive image-digest: received no reason"),
    ],
)
def test_a_waiver_without_rule_or_reason_is_refused(waivers: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        lint_documents(sound("pipeline"), waivers)


def test_rules_are_known_by_words_that_never_change_their_meaning() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(id.replace("-", "").isalnum() and id.islower() for id in ids)


def test_the_messages_come_without_kfp_and_leave_it_whole() -> None:
    code = (
        "import sys\nfrom ferryman_pipelines.lint import protos\n"
        "assert 'kfp' not in sys.modules and 'kubernetes' not in sys.modules\n"
        "import kfp.kubernetes, kfp.compiler\nfrom kfp.pipeline_spec import pipeline_spec_pb2 as real\n"
        "assert real.PipelineSpec is protos.PipelineSpec and kfp.dsl.pipeline\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
