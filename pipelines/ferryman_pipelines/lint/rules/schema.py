"""What KFP's own messages and the custom resources allow."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from ferryman.problems import attempt
from ferryman.spec.blocks import Block
from ferryman_pipelines.lint.bundle import Bundle
from ferryman_pipelines.lint.container import under
from ferryman_pipelines.lint.manifest import Manifest
from ferryman_pipelines.lint.pipeline import Pipeline
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import short


@rule(
    "ir-schema",
    "error",
    Pipeline,
    reason="the backend reads a pipeline by KFP's protobuf messages and refuses what they do not have",
    fix="compile it again with KFP; by hand, take the fields of pipeline_spec.proto",
)
def ir_schema(pipeline: Pipeline) -> Places:
    """Unknown and wrongly typed fields, and what the backend asks beside them."""
    yield from pipeline.spec_problems
    if pipeline.spec_problems:
        return
    spec, where = pipeline.spec, pipeline.where
    if spec.schema_version != "2.1.0":
        yield f"{where}schemaVersion", f"received {spec.schema_version!r}, expected '2.1.0'"
    if not spec.pipeline_info.name:
        yield f"{where}pipelineInfo.name", "received nothing, expected the pipeline's name"
    if not spec.HasField("root"):
        yield f"{where}root", "received nothing, expected the component that is the pipeline"


@rule(
    "pipeline-name",
    "warning",
    Pipeline,
    reason="KFP's SDK and Vertex AI refuse other names, and they stand in paths and in the names of pods",
    fix="use lower-case letters, digits and -, at most 128, a letter or digit first",
)
def pipeline_name(pipeline: Pipeline) -> Places:
    """Names that work in some places only."""
    name = pipeline.spec.pipeline_info.name
    if name and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", name):
        yield f"{pipeline.where}pipelineInfo.name", f"received {short(name)}"


@rule(
    "platform-schema",
    "error",
    Pipeline,
    reason="a platform setting that its message does not have is refused, or ignored without a word",
    fix="set it by a function of kfp.kubernetes; by hand, take the fields of kubernetes_executor_config.proto",
)
def platform_schema(pipeline: Pipeline) -> Places:
    """Unknown and wrongly typed settings, and settings of executors that there are not."""
    yield from pipeline.platform_problems
    place = f"{pipeline.platform_where}platforms.kubernetes.deploymentSpec.executors"
    for executor in pipeline.settings:
        if executor not in pipeline.deployment.executors and not pipeline.is_broken:
            yield f"{place}.{executor}", "there is no such executor in deploymentSpec"


class _Tagged(Block):
    displayName: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None


class _PipelineFields(_Tagged):
    """`spec` of a Pipeline. Source: pipelines.kubeflow.org_pipelines.yaml of kubeflow/pipelines 2.17."""


class _VersionFields(_Tagged):
    """`spec` of a PipelineVersion. Source: pipelines.kubeflow.org_pipelineversions.yaml of kubeflow/pipelines 2.17."""

    pipelineSpec: dict[str, Any]
    platformSpec: dict[str, Any] | None = None
    pipelineName: str | None = None
    versionName: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9\.\-]*[a-z0-9])?$", max_length=253)
    codeSourceURL: str | None = None
    pipelineSpecURI: str | None = None


@rule(
    "object-schema",
    "error",
    Manifest,
    reason="the API server drops a field that the resource does not have, and the webhook refuses an object without its name",
    fix="write the field as the custom resource has it; `ferryman compile --format k8s` writes such objects",
)
def object_schema(manifest: Manifest) -> Places:
    """Fields of Pipeline and PipelineVersion, and names."""
    if not manifest.name and not under(manifest.body, "metadata").get("generateName"):
        yield f"{manifest.where}metadata.name", "received nothing, expected the object's name"
    models: dict[str, type[Block]] = {"Pipeline": _PipelineFields, "PipelineVersion": _VersionFields}
    if manifest.kind in models:
        for path, message in attempt(models[manifest.kind], manifest.spec)[1]:
            yield f"{manifest.where}spec.{path}".rstrip("."), message


@rule(
    "object-order",
    "error",
    Bundle,
    reason="KFP's webhook refuses a PipelineVersion whose Pipeline does not exist yet, and kubectl applies in the file's order",
    fix="put the Pipeline before its versions, and name it in pipelineName",
)
def object_order(bundle: Bundle) -> Places:
    """Versions that stand before their pipeline."""
    order = [manifest.name for manifest in bundle.manifests if manifest.kind == "Pipeline"]
    seen: set[str] = set()
    for manifest in bundle.manifests:
        if manifest.kind == "Pipeline":
            seen.add(manifest.name)
        named = manifest.spec.get("pipelineName")
        if manifest.kind == "PipelineVersion" and named in order and named not in seen:
            yield f"{manifest.where}spec.pipelineName", f"the Pipeline {named!r} stands further down"
