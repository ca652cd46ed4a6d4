"""`ferryman init`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.errors import UsageError
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import program, say, show

if TYPE_CHECKING:
    from ferryman.spec.proposing.proposal import Proposal


def init(
    data: Annotated[
        str,
        typer.Argument(help="CSV, TSV or Parquet: a file, gs:// or package://.", metavar="DATA", show_default=False),
    ],
    label: Annotated[
        str | None,
        typer.Option("--label", help="The column to predict: its name, or its index from 0.", metavar="COLUMN"),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name.  [default: from the file's name]", metavar="NAME")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where the spec goes.  [default: NAME.yaml]", metavar="FILE")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Also write a package with a model of your own, and its test.", metavar="PACKAGE"),
    ] = None,
) -> None:
    """Write a first spec for a data file, with what was seen in it.

    It looks at the first rows, decides what each column is, and leaves out what no model can learn from, with the
    reason. The spec runs as it is; read it, and change it. A file that exists is never overwritten.

    Example: ferryman init houses.csv --label price
    """
    from ferryman.artifacts.resolved import check_size
    from ferryman.spec import parse_spec
    from ferryman.spec.proposing.naming import spec_name
    from ferryman.spec.proposing.proposal import propose
    from ferryman.spec.proposing.source import look_at
    from ferryman.spec.proposing.user_model import package_files, user_model
    from ferryman.spec.proposing.writing import spec_text

    name = _checked_name(name or spec_name(data))
    spec = out or Path(f"{name}.yaml")
    user = user_model(model) if model else None
    folder = spec.parent / model if model else None
    found = look_at(data, label, home().folder / "cache")
    for path in (spec, *([folder] if folder else [])):
        if os.path.lexists(path):
            raise UsageError(f"{path} exists already and is left as it is: choose another {_option(path, spec)}")
    proposal = propose(found.survey, found.form, found.label)
    command = shlex.join(["ferryman", "init", data, "--label", str(label)])
    where = _as_seen_from(data, spec.absolute().parent)
    # Before anything is written: a table may be too wide for a run, and whatever else is found here is our own bug.
    check_size(parse_spec(spec_text(proposal, name, where, command)))
    _create(spec, spec_text(proposal, name, where, command, user))
    if model and folder:
        for file, content in package_files(model, spec.name, **_examples(proposal)).items():
            _create(folder / file, content)
    show(_told(proposal, spec))
    say(f"\n  next: look at {spec}{f' and {folder}/model.py' if folder else ''}, then: {program()} run {spec}")
    if folder:
        say(_test_of(folder))


def _examples(proposal: Proposal) -> dict[str, Any]:
    """What the package's examples are made of: the label's task, and features of these very data where there are some."""
    features = {entry.options["kind"]: entry.name for entry in reversed(proposal.features)}
    known = {"task": proposal.label.kind, **{kind: features.get(kind) for kind in ("category", "number")}}
    return {word: value for word, value in known.items() if value is not None}


def _test_of(folder: Path) -> str:
    """How the package's test is run."""
    from ferryman.spec.proposing.user_model import INSTALL, TEST

    return f"  its test: {_with_python(TEST.format(package=folder))}   (once before: {_with_python(INSTALL)})"


def _with_python(command: str) -> str:
    """The command by the Python that lies beside this `ferryman`, where that had to be typed as a path."""
    beside = Path(shlex.split(program())[0]).with_name("python")
    return command.replace("python", shlex.quote(str(beside)), 1) if beside.parent != Path() else command


def _checked_name(name: str) -> str:
    from ferryman.spec.proposing.naming import NAME

    if not NAME.fullmatch(name):
        raise UsageError(f"--name received {name!r}, expected lower-case letters, digits and '-', e.g. house-prices")
    return name


def _option(path: Path, spec: Path) -> str:
    return "file with -o FILE" if path == spec else "name with --model"


def _as_seen_from(data: str, folder: Path) -> str:
    """The source as a spec in `folder` names it: relative where it lies below that, so that both can move together."""
    if "://" in data:
        return data
    path = Path(data).absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _create(path: Path, content: str) -> None:
    from ferryman.storage.local import create_only

    try:
        created = create_only(path, content.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    if not created:
        raise UsageError(f"{path} exists already and is left as it is")


def _told(proposal: Proposal, spec: Path) -> str:
    """What was proposed, in a few lines."""
    from ferryman.spec.proposing.words import called, count

    names = [entry.name for entry in proposal.features]
    lines = [f"{spec}: {proposal.survey.total:,} rows; predicts {called(proposal.label_column)}: {proposal.label.seen}"]
    lines.append(f"  {count(len(names), 'feature')}: {_some(names)}")
    lines += [f"  left out {called(out.column)}: {out.why}" for out in proposal.left_out[:10]]
    if len(proposal.left_out) > 10:
        lines.append(f"  and {len(proposal.left_out) - 10} more: the spec says why")
    return "\n".join(lines)


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
