"""A pipeline for a cluster: pinned images, room for each step, secrets by name, versions named by content."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import golden_pipelines
import jsonschema
import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from ferryman.errors import SpecError
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.compile.forms import Form
from ferryman_pipelines.compile.judging import judged

PLACES = tuple(golden_pipelines.PLACES)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {
        f"{place}.{form}": golden_pipelines.compilation("digits", place).text(form) for place in PLACES for form in Form
    }


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def executors(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Step -> its container."""
    found = document["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-").replace("-", "_"): found[name]["container"] for name in found}


def settings(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Step -> what Kubernetes is told of it."""
    found = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-").replace("-", "_"): found[name] for name in found}


def test_every_step_has_its_image_by_digest_and_room_within_limits(texts: dict[str, str]) -> None:
    for place in PLACES:
        found = executors(documents(texts[f"{place}.kfp"])[0])
        assert {step: container["image"] for step, container in found.items()} == golden_pipelines.IMAGES
        for container in found.values():
            room = container["resources"]
            assert 0 < room["cpuRequest"] <= room["cpuLimit"]
            assert 0 < room["memoryRequest"] <= room["memoryLimit"]


def test_the_targets_options_arrive_where_kubernetes_looks_for_them(texts: dict[str, str]) -> None:
    pipeline, platform = documents(texts["full.kfp"])
    train, told = executors(pipeline)["train"]["resources"], settings(platform)["train"]
    assert (train["resourceCpuRequest"], train["resourceCpuLimit"]) == ("4000m", "8000m")
    assert (train["resourceMemoryRequest"], train["resourceMemoryLimit"]) == ("12288Mi", "16384Mi")
    assert train["accelerator"] == {
        "type": "nvidia.com/gpu",
        "count": "2",
        "resourceType": "nvidia.com/gpu",
        "resourceCount": "2",
    }
    assert told["activeDeadlineSeconds"] == "14400"
    assert told["nodeSelector"]["labels"] == {
        "pool": "pipelines",
        "cloud.google.com/gke-accelerator": "nvidia-l4",
        "cloud.google.com/gke-spot": "true",
    }
    assert [toleration["key"] for toleration in told["tolerations"]] == ["nvidia.com/gpu", "cloud.google.com/gke-spot"]
    gate = settings(platform)["gate"]
    assert gate["nodeSelector"]["labels"] == {"pool": "pipelines"}
    assert "tolerations" not in gate
    for step, said in settings(platform).items():
        assert said["securityContext"] == {"runAsUser": "20001", "runAsGroup": "0", "runAsNonRoot": True}
        assert said["podMetadata"]["labels"]["team"] == "shop"
        assert said["podMetadata"]["labels"]["app.kubernetes.io/component"] == step
        assert [secret["secretName"] for secret in said["imagePullSecret"]] == ["registry"]
        assert said["imagePullPolicy"] == "Always"
        assert said["secretAsVolume"][0]["mountPath"] == "/etc/certificates"
        # Two variables of one key among them.
        assert [(key["envVar"], key["secretKey"]) for used in said["secretAsEnv"] for key in used["keyToEnv"]] == [
            ("LAKE_PASSWORD", "password"),
            ("LAKE_USER", "user"),
            ("PGPASSWORD", "password"),
        ]
    assert platform["platforms"]["kubernetes"]["pipelineConfig"] == {"resourceTtlOnCompletion": 2 * 86400}


def test_every_pod_sees_the_volumes_at_the_same_path(texts: dict[str, str]) -> None:
    for said in settings(documents(texts["plain.kfp"])[1]).values():
        (mounted,) = said["pvcMount"]
        assert (mounted["constant"], mounted["mountPath"]) == ("ferryman", "/mnt/ferryman")


def test_only_a_step_on_nodes_that_may_vanish_is_repeated(texts: dict[str, str]) -> None:
    (pipeline, _) = documents(texts["full.kfp"])
    dags = [pipeline["root"], *pipeline["components"].values()]
    tasks = {name: task for dag in dags if "dag" in dag for name, task in dag["dag"]["tasks"].items()}
    repeated = {name: task["retryPolicy"] for name, task in tasks.items() if "retryPolicy" in task}
    assert list(repeated) == ["train"]
    assert (repeated["train"]["maxRetryCount"], repeated["train"]["backoffDuration"]) == (4, "60s")
    # Argo ends a step at this time after its first start: five times 4 h, and waits of 1, 2, 4 and 8 minutes.
    assert repeated["train"]["backoffMaxDuration"] == f"{5 * 4 * 3600 + 15 * 60}s"


def test_no_step_is_cached_for_any_place_in_any_form(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert "enableCache: true" not in text, name


def test_a_clusters_pipeline_needs_no_parameter_and_says_what_each_means(texts: dict[str, str]) -> None:
    for place, root in (("full", "gs://shop-ferryman/runs"), ("plain", "/mnt/ferryman/runs")):
        parameters = documents(texts[f"{place}.kfp"])[0]["root"]["inputDefinitions"]["parameters"]
        assert parameters["run_root"]["defaultValue"] == root
        assert all("defaultValue" in parameter and parameter["description"] for parameter in parameters.values())
    assert parameters["group"]["defaultValue"] == "/mnt/ferryman/groups/local"


def test_the_portable_form_is_one_document_with_nothing_of_kubernetes(texts: dict[str, str]) -> None:
    (pipeline,) = documents(texts["full.portable"])
    assert executors(pipeline) == executors(documents(texts["full.kfp"])[0])
    assert "secret" not in texts["full.portable"].lower().replace("secrets", "")


def test_the_file_says_what_it_is_and_how_to_run_it(texts: dict[str, str]) -> None:
    for name, how in (("kfp", "upload it"), ("portable", "PipelineJob"), ("k8s", "kubectl apply -f")):
        first, second = texts[f"full.{name}"].splitlines()[:2]
        assert re.fullmatch(r"# Ferryman: the pipeline of digits\.yaml \(spec [0-9a-f]{12}\), compiled for .*", first)
        assert second.startswith("# For the target full: ")
        assert how in second
        assert "the pipeline UI (https://kfp.shop.example)" in second


def test_backends_know_every_field(texts: dict[str, str]) -> None:
    for place in PLACES:
        pipeline, platform = documents(texts[f"{place}.kfp"])
        json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        assert set(settings(platform)) == set(STEPS)
        for said in settings(platform).values():
            json_format.ParseDict(said, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


TEXT, LABELS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
FIELDS: dict[str, dict[str, Any]] = {
    "Pipeline": {"displayName": TEXT, "description": TEXT, "tags": LABELS},
    "PipelineVersion": {
        "displayName": TEXT,
        "description": TEXT,
        "pipelineName": TEXT,
        "versionName": TEXT,
        "codeSourceURL": TEXT,
        "pipelineSpecURI": TEXT,
        "tags": LABELS,
        "pipelineSpec": {"type": "object"},
        "platformSpec": {"type": "object"},
    },
}
"""The fields of KFP's two objects. Source: their CustomResourceDefinitions, pipelines.kubeflow.org/v2beta1."""


def check_object(document: dict[str, Any]) -> None:
    spec = {"type": "object", "additionalProperties": False, "properties": FIELDS[document["kind"]]}
    if document["kind"] == "PipelineVersion":
        spec["required"] = ["pipelineSpec"]
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": "pipelines.kubeflow.org/v2beta1"},
            "kind": TEXT,
            "metadata": {"properties": {"name": {"pattern": "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"}}},
            "spec": spec,
        },
    }
    jsonschema.Draft202012Validator(schema).validate(document)


def test_kubernetes_objects_hold_the_same_pipeline_and_come_in_the_order_of_their_creation(
    texts: dict[str, str],
) -> None:
    for place in PLACES:
        pipeline, version = documents(texts[f"{place}.k8s"])
        assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
        for document in (pipeline, version):
            check_object(document)
            assert document["metadata"]["namespace"] == golden_pipelines.place(place).namespace
        assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"] == "digits"
        assert [version["spec"]["pipelineSpec"], version["spec"]["platformSpec"]] == documents(texts[f"{place}.kfp"])


def test_a_name_that_no_object_may_have_is_refused_for_objects_alone() -> None:
    made = golden_pipelines.compilation("digits", "plain")
    odd = replace(made, spec=made.spec.model_copy(update={"name": "digits-"}))
    assert odd.text(Form.kfp)
    with pytest.raises(SpecError, match=r"digits\.yaml: name: received 'digits-'"):
        odd.text(Form.k8s)


def test_a_label_that_looks_like_a_number_is_text_for_every_reader() -> None:
    made = golden_pipelines.compilation("digits", "plain")
    odd = {
        f"l{n}": text
        for n, text in enumerate(["12e4567", "1e3", "1.5e3", "08", "y", "N", "0o17", "0b11", "1_000", "no", "7", "+.5"])
    }
    labelled = replace(made, target=made.target.model_copy(update={"labels": odd}))
    for form in (Form.kfp, Form.k8s):
        text = labelled.text(form)
        assert [text.count(f" {name}: '{value}'\n") for name, value in odd.items()] == [len(STEPS)] * len(odd)
        assert judged(text, {}) == []


def version_name(text: str) -> str:
    return str(documents(text)[1]["metadata"]["name"])


def test_another_content_is_another_version_and_the_same_content_the_same(texts: dict[str, str]) -> None:
    made = golden_pipelines.compilation("digits", "full")
    name = version_name(texts["full.k8s"])
    assert re.fullmatch(r"digits-[0-9a-f]{12}", name)
    assert version_name(made.text(Form.k8s)) == name
    images = {**made.images, "train": f"{made.images['train'][:-1]}f"}
    target = made.target.model_copy(update={"ttl": 3600.0})
    spec = made.spec.model_copy(update={"train": made.spec.train.model_copy(update={"epochs": 16})})
    for other in (replace(made, images=images), replace(made, target=target), replace(made, spec=spec)):
        assert version_name(other.text(Form.k8s)) != name
