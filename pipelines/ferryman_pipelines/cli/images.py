"""`ferryman images`: the images that steps run in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferryman.errors import UsageError
from ferryman.problems import nearest
from ferryman_pipelines.cli import locking
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, guarded, say, show, show_json, size_text
from ferryman_pipelines.cli.runs import wanted as wanted_format

if TYPE_CHECKING:
    from ferryman_pipelines.images.listing import Listed
    from ferryman_pipelines.images.lock import ImageName

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Output = Annotated[Format, typer.Option("-o", "--output", help="How to print it.")]


@app.callback(invoke_without_command=True)
def listing(context: typer.Context, output: Output = Format.text) -> None:
    """List the images that were built here, or build them.

    Example: ferryman images
    """
    context.obj = output
    if context.invoked_subcommand is None:
        guarded(_list)(output)


app.command("lock")(guarded(locking.lock))


@app.command("build")
@guarded
def build(
    context: typer.Context,
    push: Annotated[
        str | None, typer.Option("--push", help="Push them there, and keep each digest.", metavar="REGISTRY")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="The base image.  [default: the Dockerfile's]", metavar="IMAGE")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this image; more than once for more.", metavar="NAME")
    ] = None,
    with_: Annotated[
        Path | None,
        typer.Option("--with", help="Install what your own code needs, too: a lock with hashes.", metavar="LOCK"),
    ] = None,
    serving_image: Annotated[
        str | None,
        typer.Option("--serving-image", help="Take the real tensorflow_model_server from this image.", metavar="IMAGE"),
    ] = None,
    output: Output = Format.text,
) -> None:
    """Build the six images that steps run in, with Docker, and note them in images.lock.json.

    Nothing is fetched in a container: the wheels come through pip's own configuration into the home's cache, each
    checked against the hash in components/locks. It takes about 5 GB of disk the first time. `--only train-gpu`
    builds what trains on NVIDIA's GPUs, too large to be built unasked.

    Example: ferryman images build --push registry.example.com/team/ferryman
    """
    from ferryman_pipelines.images.building import Wanted, build_images
    from ferryman_pipelines.images.lock import FILE, IMAGES

    asked = Wanted(_names(only) or IMAGES, base, serving_image, with_, push)
    file = Path(FILE).resolve()
    build_images(asked, home().folder, file, say)
    say(f"noted in {file}")
    _list(wanted_format(context, output))


def _names(only: list[str] | None) -> tuple[ImageName, ...]:
    from ferryman_pipelines.images.lock import GPU_IMAGE, IMAGES

    known = (*IMAGES, *GPU_IMAGE.values())
    for name in only or ():
        if name not in known:
            raise UsageError(f"--only received {name!r}: there is no such image{nearest(name, list(known))}")
    return tuple(name for name in known if name in (only or ()))


def _list(output: Format) -> None:
    from ferryman_pipelines.images.listing import listed
    from ferryman_pipelines.images.lock import FILE

    file = Path(FILE).resolve()
    found = list(listed(file))
    if output is Format.json:
        show_json({"file": str(file), "images": [asdict(image) for image in found]})
    else:
        show(f"{'IMAGE':<10}{'ID':<14}{'SIZE':>9}  REGISTRY")
        for image in found:
            show(_line(image).rstrip())


def _line(image: Listed) -> str:
    if not image.id:
        return f"{image.name:<10}not built"
    size = "not here" if image.size is None else size_text(image.size)
    return f"{image.name:<10}{image.id.removeprefix('sha256:')[:12]:<14}{size:>9}  {image.reference or ''}"
