"""`ferryman predict`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.errors import DataError, UnavailableError, UsageError
from ferryman.serving.record import GroupRecord, known_group, version_folder
from ferryman_pipelines.cli.answers import Answers, Shape, shape_named, shape_of, written
from ferryman_pipelines.cli.asking import RawRows, answers_of, raw_batches
from ferryman_pipelines.cli.completion import group_names, model_names
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import say

PATIENCE = 5.0
"""Seconds between two words on how far it is."""


def predict(
    model: Annotated[str, typer.Argument(help="The model to ask.", metavar="MODEL", autocompletion=model_names)],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Rows like the raw data; - reads standard input.  [default: -]", metavar="[FILE]"),
    ] = None,
    group: Annotated[str, typer.Option("--group", help="The serving group.", autocompletion=group_names)] = "local",
    version: Annotated[int | None, typer.Option(help="Ask this version instead of the stable one.")] = None,
    output: Annotated[
        Shape | None,
        typer.Option(
            "-o",
            "--output",
            parser=shape_named,
            metavar=f"<{'|'.join(Shape)}>",
            autocompletion=lambda: [*Shape],
            help="How to write the answers.  [default: by the name of --out, else table]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the answers go.  [default: stdout]", metavar="FILE")
    ] = None,
) -> None:
    """Ask the running server about the rows of a file.

    They have the same columns as the raw data, with or without the label. A server that is starting is waited for.
    Answers are written as they come, in the order of the rows; --out leaves a whole file or none.

    Example: ferryman predict penguins birds.csv --out answers.csv
    """
    from ferryman.serving.client import ServingClient
    from ferryman_pipelines.cli.groups import starting_server

    file, shape = _one(files or [Path("-")]), shape_of(output, out)
    _check_out(out, file)
    folder = home().group(group)
    record = known_group(folder)
    if record is None:
        raise UnavailableError(
            f"the group {group} in {folder} holds no model; `ferryman run SPEC` releases one, `ferryman serve {group}` serves"
        )
    number = served_version(record, model, version)
    endpoints = starting_server(folder)
    if endpoints is None:
        raise UnavailableError(f"no server runs the group {group}; start one with `ferryman serve {group}`")
    card_file = version_folder(folder, model, number) / "assets.extra" / "ferryman" / FILE
    if not card_file.parent.is_dir():
        raise UsageError(f"--version {number}: {model} has no such version here; without it the stable one is asked")
    card, tally = ModelCard.read(card_file), Tally(quiet=out is None and sys.stdout.isatty())
    with _opened(file) as stream, ServingClient(endpoints.grpc) as client, written(shape, out) as write:
        for rows in raw_batches(stream, "standard input" if str(file) == "-" else str(file), card):
            answers = answers_of(client, model, version, rows, card)
            write(answers)
            tally.count(rows, answers)
    tally.tell(out)


def served_version(record: GroupRecord, model: str, version: int | None) -> int:
    """The version whose form the rows must have; UsageError when the group does not hold the model."""
    serving = {name: part.stable.number for name, part in record.models.items() if part.stable}
    if model not in serving:
        raise UsageError(
            f"no model {model!r} serves in this group; it holds {', '.join(sorted(serving)) or 'nothing yet'}"
        )
    return version if version is not None else serving[model]


class Tally:
    """Counts rows, says how far it is when that takes long, and how many have no answer."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        """Say nothing on the way: the rows themselves can be seen."""

        self.rows = self.unanswered = 0
        self._first = ""
        self._began = self._said = time.monotonic()

    def count(self, rows: RawRows, answers: Answers) -> None:
        """Some more rows were answered."""
        without = [
            place
            for place, answer in zip(rows.places, answers, strict=True)
            if answer.get("value", answer.get("score")) is None
        ]
        if without and not self.unanswered:
            self._first = f"{rows.counts} {without[0]:,}"
        self.rows += len(answers)
        self.unanswered += len(without)
        now = time.monotonic()
        if not self.quiet and now - self._said >= PATIENCE:
            self._said = now
            say(f"{self.rows:,} rows answered, {self.rows / (now - self._began):,.0f} a second")

    def tell(self, out: Path | None) -> None:
        """What came out."""
        if out:
            say(f"{self.rows:,} rows answered in {out}")
        if self.unanswered:
            say(
                f"{self.unanswered:,} of {self.rows:,} rows have no answer, the first in {self._first}: "
                "a number in them is too extreme for the model"
            )


def _one(files: Sequence[Path]) -> Path:
    if len(files) > 1:
        told = ", ".join(map(str, files))
        raise UsageError(f"received {len(files)} files ({told}), expected one: ask about each in a call of its own")
    return files[0]


def _check_out(out: Path | None, file: Path) -> None:
    """Refuse a place that cannot be a file of answers, before anybody is asked."""
    if out is None or not out.exists():
        return
    if not out.is_file():
        raise UsageError(f"--out {out}: received a folder or a device, expected the name of a file, e.g. answers.csv")
    with contextlib.suppress(OSError):
        if file.samefile(out):
            raise UsageError(f"--out {out}: these are the rows themselves; expected another file")


def _opened(file: Path) -> BinaryIO:
    if str(file) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed; name a file, or send the rows through a pipe")
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(file)) from error
