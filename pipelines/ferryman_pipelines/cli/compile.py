"""`ferryman compile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ferryman.errors import UsageError
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import say


def compile_(
    spec: Annotated[Path, typer.Argument(help="The spec to compile.", metavar="SPEC")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the pipeline goes.", metavar="FILE")],
) -> None:
    """Write the spec's pipeline as KFP's IR, its inputs pinned.

    Example: ferryman compile pipelines/specs/mnist.yaml -o mnist.pipeline.yaml
    """
    from ferryman.spec import spec_sha256
    from ferryman.storage.local import atomic_write
    from ferryman_pipelines.cli.pinning import pinned_spec
    from ferryman_pipelines.compile.compiling import compile_spec

    if out.exists() and not out.is_file():
        raise UsageError(f"-o {out}: received a folder or a device, expected the name of a file, e.g. pipeline.yaml")
    pinned = pinned_spec(spec, home())
    # `clean` cannot know where pipelines lie; what this one reads stays as long as this copy of its spec.
    copy = home().folder / "inputs" / "compiled" / f"{spec_sha256(pinned.document())}.json"
    atomic_write(copy, json.dumps(pinned.document(), indent=1).encode())
    # Through a link and not over it.
    compile_spec(pinned, out.resolve(), spec.name)
    say(f"compiled {spec} to {out}")
