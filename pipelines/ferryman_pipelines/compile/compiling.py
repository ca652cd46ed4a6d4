"""From a spec to KFP's documents: the same spec gives the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ferryman.spec import Spec, spec_sha256
from ferryman.steps.component import Dress, dressed
from ferryman.storage.local import atomic_write
from ferryman_pipelines.compile.judging import HERE, judged


def compile_spec(spec: Spec, out: Path, origin: str, dress: Dress = lambda step, task: None) -> None:
    """Write the pipeline of `spec` (inputs pinned) for this machine to `out`, atomically.

    `origin` names the file that the spec was read from, for the comment on top; `dress` sets on each step's task what
    depends on the place.
    """
    from ferryman_pipelines.dags.train_and_serve import train_and_serve

    with dressed(dress):
        text = documents_of(train_and_serve(spec))
    judged(text, HERE)
    name = short(origin)
    how = f"# It runs on this machine: ferryman run {name}. For a cluster: ferryman compile {name} --on TARGET.\n"
    atomic_write(out, (what_it_is(spec, origin) + how + text).encode())


def documents_of(pipeline: Any, **options: Any) -> str:
    """KFP's YAML documents of a pipeline; `options` are those of its compiler."""
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "pipeline.yaml"
        Compiler().compile(pipeline, str(raw), **options)
        return raw.read_text(encoding="utf-8")


def what_it_is(spec: Spec, origin: str) -> str:
    """The first line of a compiled file: what it is and from which spec."""
    digest = spec_sha256(spec.document())[:12]
    return f"# Ferryman: the pipeline of {short(origin)} (spec {digest}), compiled for Kubeflow Pipelines v2.\n"


def short(origin: str) -> str:
    """A spec's file by its name, without its path: where a spec lies is nobody's business.

    It stands in comments, which a line's end of any kind would end.
    """
    return "".join(sign if sign.isprintable() else "?" for sign in Path(origin).name)
