"""From a spec to KFP's IR: the same spec gives the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ferryman.spec import Spec, spec_sha256
from ferryman.steps.component import Dress, dressed
from ferryman.storage.local import atomic_write


def compile_spec(spec: Spec, out: Path, origin: str, dress: Dress = lambda step, task: None) -> None:
    """Write the compiled pipeline of `spec` (inputs pinned) to `out`, atomically.

    `origin` names the file that the spec was read from, for the comment on top; `dress` sets on each step's task what
    depends on the place.
    """
    from kfp.compiler import Compiler

    from ferryman_pipelines.dags.train_and_serve import train_and_serve

    with tempfile.TemporaryDirectory() as folder, dressed(dress):
        raw = Path(folder) / "pipeline.yaml"
        Compiler().compile(train_and_serve(spec), str(raw))
        text = raw.read_text(encoding="utf-8")
    atomic_write(out, f"{header(spec, origin)}{text}".encode())


def header(spec: Spec, origin: str) -> str:
    """The comment on top of a compiled file: what it is, from which spec, how to run it."""
    # Its name and not its path: where a spec lies is nobody's business.
    name = Path(origin).name.replace("\n", " ")
    return (
        f"# Ferryman: the pipeline of {name} (spec {spec_sha256(spec.document())[:12]}), compiled for Kubeflow Pipelines v2.\n"
        f"# Here: ferryman run {name}. Elsewhere: upload it in the pipeline UI and start a run.\n"
    )
