"""`ferryman run`: the whole job from a spec, watched from outside."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ferryman.artifacts.record import Outcome, RunRecord, read_record
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import timestamp
from ferryman.errors import ArtifactError, UsageError
from ferryman.spec import apply_overrides, load_spec, parse_assignments, spec_from, spec_sha256
from ferryman.storage.local import atomic_write, create_only
from ferryman_pipelines.cli.completion import run_ids
from ferryman_pipelines.cli.home import Home, home
from ferryman_pipelines.cli.options import Assignments, ReleaseGroup, TargetName, TargetsFile, spec_file
from ferryman_pipelines.cli.output import Format, say, show, show_json
from ferryman_pipelines.cli.runs import find_run
from ferryman_pipelines.cli.summary import step_line, summary
from ferryman_pipelines.cli.target import Choice, choose
from ferryman_pipelines.runners.request import FILE, RunRequest

UNFINISHED: frozenset[Outcome] = frozenset({"running", "failed", "interrupted", "rolled_back"})
"""What can go on. Rolled back is among them: an interrupted run gave its own release up."""


def run(
    spec: Annotated[Path | None, typer.Argument(help="The spec to run.", metavar="SPEC", show_default=False)] = None,
    set_: Assignments = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Go on with this run (or `last`).", metavar="RUN", autocompletion=run_ids),
    ] = None,
    on: TargetName = "local",
    targets: TargetsFile = None,
    group: ReleaseGroup = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="The lock that `ferryman images build` wrote, for containers.  [default: images.lock.json]",
            metavar="FILE",
        ),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option("--isolate", help="Start every step as a process of its own, at 3 to 4 CPU seconds each."),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print a line a finished step, also on a terminal, and draw nothing.")
    ] = False,
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")] = Format.text,
) -> int:
    """Run a spec's pipeline: from raw data to a released model.

    Each step is a process of this environment, or a container with `--on docker` (after `ferryman images build`).

    Example: ferryman run pipelines/specs/mnist.yaml --set train.epochs=5
    """
    place = home()
    if (spec is None) == (resume is None):
        raise UsageError("expected either a SPEC or --resume RUN, e.g. ferryman run pipelines/specs/mnist.yaml")
    if spec is not None:
        overrides = parse_assignments(set_ or [])
        request = new_request(spec, overrides, choose(on, targets, images), group, place)
    else:
        if set_ or targets or group or images or on != "local":
            options = "--set, --on, --targets, --group and --images"
            raise UsageError(f"a run goes on as it was asked for: {options} need a new run")
        request = _found(find_run(str(resume)).folder, place)
        ended = read_record(find_run(request.run))
        if ended.outcome not in UNFINISHED:
            say(f"run {request.run} has ended; a new one takes: ferryman run {request.origin}")
            return _told(ended, place, output)
        request = request.model_copy(update=limits_now(request))
    from ferryman_pipelines.cli.live.view import view
    from ferryman_pipelines.runners.watch import watch

    say(f"run {request.run} in {request.folder}")
    with view(Run(request.folder, request.run), plain=plain) as tell:
        record = watch(request, lambda step: tell(step_line(step)), tell, isolate=isolate)
    return _told(record, place, output)


def _found(folder: Path, place: Home) -> RunRequest:
    """The request in a run's folder, with its places where they are now: the home may have been moved since."""
    try:
        request = RunRequest.read(folder / FILE)
    except ArtifactError as error:
        raise UsageError(f"run {folder.name} was not started from here, so it cannot go on from here") from error
    here = {"root": str(folder.parent), "group": str(place.group(Path(request.group).name))}
    return request.model_copy(update=here)


def limits_now(request: RunRequest) -> dict[str, object]:
    """What steps may use, and the images that are built now: who raised a limit or mended an image wants it to hold."""
    if not request.target:
        return {}
    file, lock = (Path(name) if name else None for name in (request.targets, request.lock))
    choice = choose(request.target, file, lock)
    if (choice.target.kind == "docker") != bool(request.containers):
        raise UsageError(f"the target {request.target} is of another kind now than when the run was asked for")
    return choice.fields()


def _told(record: RunRecord, place: Home, output: Format) -> int:
    """Show how a run ended; its exit code."""
    if output is Format.json:
        show_json(record.model_dump(mode="json"))
    else:
        sys.stderr.flush()
        show(f"\n{summary(record, place)}")
    return record.exit_code


def new_request(
    path: Path, overrides: Mapping[str, object], choice: Choice, group: str | None, place: Home
) -> RunRequest:
    """Create the folder of a new run with its request and its spec; nothing is created for a spec that is wrong."""
    from ferryman_pipelines.cli.pinning import pinned_spec

    # A wrong override is refused before anything is copied, and again as `resolve` will merge it.
    load_spec(spec_file(path), overrides)
    reviewed = pinned_spec(path, place)
    document = reviewed.document()
    spec_from(apply_overrides(document, overrides), str(path))
    now = datetime.now(UTC)
    while True:
        run_id = f"{reviewed.name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        request = RunRequest(
            run=run_id,
            name=reviewed.name,
            origin=str(path),
            created=timestamp(now),
            spec=document,
            spec_sha256=spec_sha256(document),
            overrides=dict(overrides),
            root=str(place.runs),
            group=str(place.group(group or choice.target.group)),
            **choice.fields(),
        )
        if create_only(request.folder / FILE, request.model_dump_json(indent=1).encode()):
            break
    atomic_write(request.folder / "spec.yaml", path.read_bytes())
    return request
