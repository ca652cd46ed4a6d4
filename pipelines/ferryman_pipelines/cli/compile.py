"""`ferryman compile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferryman.errors import UsageError
from ferryman.spec.cluster import ClusterTarget
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.options import USUAL_TARGETS, TargetsFile, target_named
from ferryman_pipelines.cli.output import say
from ferryman_pipelines.compile.forms import Form
from ferryman_pipelines.compile.places import check_places
from ferryman_pipelines.images import lock

if TYPE_CHECKING:
    from ferryman.spec import Spec


def compile_(
    spec: Annotated[Path, typer.Argument(help="The spec to compile.", metavar="SPEC")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the pipeline goes.", metavar="FILE")],
    on: Annotated[
        str | None, typer.Option("--on", help="The cluster of the targets file that it is for.", metavar="TARGET")
    ] = None,
    targets: TargetsFile = None,
    form: Annotated[
        Form,
        typer.Option(
            "--format", help="kfp: with its settings for Kubernetes; portable: without; k8s: objects for kubectl apply."
        ),
    ] = Form.kfp,
    images: Annotated[
        Path, typer.Option("--images", help="The lock that `ferryman images build` wrote.", metavar="FILE")
    ] = Path(lock.FILE),
    upload: Annotated[
        bool, typer.Option("--upload", help="Put the spec's data and code into the cluster's input store.")
    ] = False,
) -> None:
    """Write the spec's pipeline as KFP's own document.

    Without --on it is what `ferryman run` executes on this machine, and only here. With --on its images are named by
    digest and its inputs lie in the cluster's store, so that a run from the UI or a schedule needs nothing from here.

    Example: ferryman compile pipelines/specs/mnist.yaml --on prod --upload -o mnist.pipeline.yaml
    """
    from ferryman_pipelines.cli.pinning import pinned_spec

    if out.exists() and not out.is_file():
        raise UsageError(f"-o {out}: received a folder or a device, expected the name of a file, e.g. pipeline.yaml")
    for made_from in (spec, targets or USUAL_TARGETS, images):
        if out.exists() and made_from.exists() and out.samefile(made_from):
            raise UsageError(f"-o {out}: the pipeline is made from this file; expected another one, e.g. pipeline.yaml")
    if on is None:
        if upload or form is not Form.kfp:
            raise UsageError("--upload and --format are for a cluster of the targets file; try: --on TARGET")
        _for_here(pinned_spec(spec, home()), spec, out)
    else:
        target = target_named(on, targets)
        if not isinstance(target, ClusterTarget):
            raise UsageError(f"--on {on}: received a target of kind {target.kind}, expected one of kind kubeflow")
        check_places(target, on)
        references = lock.read_lock(images).references(images, target.with_gpu)
        _for_cluster(pinned_spec(spec, home()), spec, out, on, target, references, form, upload)
    say(f"compiled {spec} to {out}")


def _for_here(pinned: Spec, spec: Path, out: Path) -> None:
    from ferryman.spec import spec_sha256
    from ferryman.storage.local import atomic_write
    from ferryman_pipelines.compile.compiling import compile_spec

    # `clean` cannot know where pipelines lie; what this one reads stays as long as this copy of its spec.
    copy = home().folder / "inputs" / "compiled" / f"{spec_sha256(pinned.document())}.json"
    atomic_write(copy, json.dumps(pinned.document(), indent=1).encode())
    # Through a link and not over it.
    compile_spec(pinned, out.resolve(), spec.name)


def _for_cluster(
    pinned: Spec,
    spec: Path,
    out: Path,
    name: str,
    target: ClusterTarget,
    images: dict[str, str],
    form: Form,
    upload: bool,
) -> None:
    from ferryman.artifacts.resolved import check_size
    from ferryman.storage.local import atomic_write
    from ferryman_pipelines.compile.for_cluster import Compilation
    from ferryman_pipelines.compile.inputs import inputs_there
    from ferryman_pipelines.compile.judging import PORTABLE, judged

    there = inputs_there(pinned, target.inputs, upload=upload)
    check_size(there)
    text = Compilation(there, spec.name, name, target, images).text(form)
    for warning in judged(text, {**(PORTABLE if form is Form.portable else {}), **target.lint.waive}):
        say(f"  {warning}")
    atomic_write(out.resolve(), text.encode())
