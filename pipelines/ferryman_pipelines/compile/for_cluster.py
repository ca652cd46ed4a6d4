"""A spec's pipeline for a cluster of the targets file, in each of the forms in which clusters take pipelines."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ferryman.spec import Spec
from ferryman.spec.cluster import ClusterTarget
from ferryman.steps.component import dressed
from ferryman_pipelines.compile.compiling import documents_of, short, what_it_is
from ferryman_pipelines.compile.pods import kubernetes, portable


class Form(StrEnum):
    """How a pipeline is written down."""

    kfp = "kfp"
    """KFP's pipeline and its settings for Kubernetes, two documents: for the pipeline UI and KFP's client."""

    portable = "portable"
    """The pipeline alone, one document, also for Vertex AI Pipelines: no secrets, nodes or time limits."""

    k8s = "k8s"
    """Pipeline and PipelineVersion objects for `kubectl apply`, where KFP keeps its pipelines in Kubernetes."""


HOW: Mapping[Form, str] = {
    Form.kfp: "upload it in the pipeline UI and start a run",
    Form.portable: "upload it in the pipeline UI, or give it to Vertex AI's PipelineJob as template_path",
    Form.k8s: "kubectl apply -f FILE, where KFP keeps pipelines in Kubernetes; then start a run in the pipeline UI",
}


@dataclass(frozen=True)
class Compilation:
    """What is compiled for where: a spec with its inputs in the target's store, and images by step."""

    spec: Spec
    origin: str
    """The file that the spec was read from, for the comment on top."""

    place: str
    """The target's name."""

    target: ClusterTarget
    images: Mapping[str, str]

    def text(self, form: Form) -> str:
        """The whole file, the same bytes each time."""
        if form is Form.k8s:
            body = self._objects(hashlib.sha256(self._compiled(Form.kfp).encode()).hexdigest()[:12])
        else:
            body = self._compiled(form)
        return what_it_is(self.spec, self.origin) + f"# For the target {self.place}: {HOW[form]}.\n" + body

    def _objects(self, version: str) -> str:
        from kfp.compiler.compiler_utils import KubernetesManifestOptions

        # A version cannot be changed once it is in the cluster: another content needs another name.
        options = KubernetesManifestOptions(
            pipeline_name=self.spec.name,
            pipeline_display_name=self.spec.name,
            pipeline_version_name=f"{self.spec.name}-{version}",
            pipeline_version_display_name=f"{short(self.origin)} {version}",
            namespace=self.target.namespace,
            include_pipeline_manifest=True,
        )
        return self._compiled(Form.k8s, kubernetes_manifest_format=True, kubernetes_manifest_options=options)

    def _compiled(self, form: Form, **options: object) -> str:
        from kfp import dsl

        from ferryman_pipelines.dags.train_and_serve import train_and_serve

        dress, config = portable, None
        if form is not Form.portable:
            dress, config = kubernetes, dsl.PipelineConfig(ttl_seconds_after_finished=math.ceil(self.target.ttl))
        with dressed(dress(self.target, self.images)):
            pipeline = train_and_serve(self.spec, self.target.run_root, self.target.group or "", config)
            return documents_of(pipeline, **options)
