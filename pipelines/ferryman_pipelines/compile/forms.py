"""The forms in which clusters take pipelines, and what to do with each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """How a pipeline is written down."""

    kfp = "kfp"
    """KFP's pipeline and its settings for Kubernetes, two documents: for the pipeline UI and KFP's client."""

    portable = "portable"
    """The pipeline alone, one document, also for Vertex AI Pipelines: no secrets, nodes or time limits."""

    k8s = "k8s"
    """Pipeline and PipelineVersion objects for `kubectl apply`, where KFP keeps its pipelines in Kubernetes."""


HOW: Final[Mapping[Form, str]] = {
    Form.kfp: "upload it in the pipeline UI and start a run",
    Form.portable: "upload it in the pipeline UI, or give it to Vertex AI's PipelineJob as template_path",
    Form.k8s: "kubectl apply -f FILE, where KFP keeps pipelines in Kubernetes; then start a run in the pipeline UI",
}
"""How a file of that form is run; it stands on top of it."""
