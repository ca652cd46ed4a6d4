"""The documents of a file, and what each of them is to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ferryman.errors import SpecError
from ferryman_pipelines.lint.manifest import Manifest, is_known
from ferryman_pipelines.lint.pipeline import Pipeline, read_pipeline

EXPECTED: Final = (
    "expected a pipeline compiled by KFP v2 (it has `pipelineInfo`), or an object of kind Pipeline, PipelineVersion, "
    "CronJob or ScheduledWorkflow"
)

_IR_FIELDS: Final = {"pipelineInfo", "pipeline_info", "deploymentSpec", "deployment_spec", "root", "schemaVersion"}

Placed = tuple[str, Any]
"""What the places of a document begin with, and the document."""


@dataclass(frozen=True)
class Bundle:
    """All documents of one file."""

    pipelines: tuple[Pipeline, ...]
    manifests: tuple[Manifest, ...]
    others: tuple[str, ...]
    """What the documents are that no rule looks at, e.g. `ConfigMap`."""


def read_bundle(documents: Sequence[Any]) -> Bundle:
    """What `documents` are.

    Raises:
        SpecError: none of them is anything that rules know, or a platform document belongs to no pipeline.
    """
    placed = _placed(documents)
    manifests = tuple(Manifest(where, body) for where, body in placed if _kind(body) == "manifest")
    pipelines = [
        *_pipelines(
            [document for document in placed if _kind(document[1]) == "pipeline"],
            [document for document in placed if _kind(document[1]) == "platform"],
        ),
        *(
            read_pipeline(f"{where}pipelineSpec.", body["pipelineSpec"])
            for where, body in placed
            if _kind(body) == "job"
        ),
        *(_embedded(manifest) for manifest in manifests if "pipelineSpec" in manifest.spec),
    ]
    others = tuple(_name(body) for _, body in placed if _kind(body) == "other")
    if not pipelines and not manifests:
        raise SpecError("", f"received {', '.join(others) or 'nothing'}, {EXPECTED}")
    return Bundle(tuple(pipelines), manifests, others)


def _placed(documents: Sequence[Any]) -> list[Placed]:
    """Every document, the objects of a Kubernetes List singly; empty ones are left out."""
    placed: list[Placed] = []
    documents = [document for document in documents if document is not None]
    for number, document in enumerate(documents, start=1):
        # The fields of a pipeline and of its platform document tell them apart.
        where = f"[{number}]." if sum(_kind(other) != "platform" for other in documents) > 1 else ""
        listed = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else None
        if isinstance(listed, list):
            placed += [(f"{where}items[{n}].", item) for n, item in enumerate(listed)]
        else:
            placed.append((where, document))
    return placed


def _kind(document: Any) -> str:
    if not isinstance(document, dict):
        return "other"
    if "apiVersion" in document:
        return "manifest" if is_known(document) else "other"
    if _IR_FIELDS & document.keys():
        return "pipeline"
    if "platforms" in document:
        return "platform"
    # What Vertex AI calls a PipelineJob.
    return "job" if "pipelineSpec" in document else "other"


def _pipelines(irs: list[Placed], platforms: list[Placed]) -> list[Pipeline]:
    """Each pipeline with its platform document; KFP reads one of each from a file, in any order."""
    if len(platforms) > len(irs):
        raise SpecError(platforms[-1][0].rstrip("."), f"received `platforms:` without its pipeline, {EXPECTED}")
    paired = [*platforms, *[("", None)] * (len(irs) - len(platforms))]
    return [read_pipeline(*ir, *platform) for ir, platform in zip(irs, paired, strict=True)]


def _embedded(version: Manifest) -> Pipeline:
    place = f"{version.where}spec."
    return read_pipeline(
        f"{place}pipelineSpec.", version.spec["pipelineSpec"], f"{place}platformSpec.", version.spec.get("platformSpec")
    )


def _name(document: Any) -> str:
    """What a document is, for people."""
    if isinstance(document, dict) and "kind" in document:
        return str(document["kind"])[:60]
    if isinstance(document, dict) and "spec" in document:
        return "a spec (ferryman compile makes a pipeline of it)"
    fields = f" with {', '.join(map(str, list(document)[:3]))[:80]}" if isinstance(document, dict) else ""
    return f"a {'mapping' if isinstance(document, dict) else type(document).__name__}{fields}"
