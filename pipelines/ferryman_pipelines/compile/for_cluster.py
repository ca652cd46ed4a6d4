"""A spec's pipeline for a cluster of the targets file, in each of the forms in which clusters take pipelines."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from ferryman.errors import SpecError
from ferryman.spec import Spec
from ferryman.spec.cluster import ClusterTarget
from ferryman.steps.component import dressed
from ferryman_pipelines.compile.compiling import documents_of, short, what_it_is
from ferryman_pipelines.compile.forms import HOW, Form
from ferryman_pipelines.compile.pods import kubernetes, portable
from ferryman_pipelines.compile.quoting import quoted


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
        """The whole file, the same bytes each time; SpecError for a name that no object may have (k8s)."""
        if form is Form.k8s:
            body = self._objects(hashlib.sha256(self._compiled(Form.kfp).encode()).hexdigest()[:12])
        else:
            body = self._compiled(form)
        where = f" ({self.target.host})" if self.target.host else ""
        how = HOW[form].replace("the pipeline UI", f"the pipeline UI{where}")
        return what_it_is(self.spec, self.origin) + f"# For the target {self.place}: {how}.\n" + body

    def _objects(self, version: str) -> str:
        if self.spec.name.endswith("-"):
            raise SpecError(
                "name", f"received {self.spec.name!r}, which Kubernetes refuses for its last sign", self.origin
            )
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
            pipeline = train_and_serve(self.spec, self.target.run_root, self.target.group, config)
            return quoted(documents_of(pipeline, **options))
