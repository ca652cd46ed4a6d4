"""`ferryman runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from ferryman.artifacts.record import RunRecord, read_record
from ferryman.artifacts.run_store import Run, RunStore
from ferryman.errors import UsageError
from ferryman_pipelines.cli.completion import run_ids
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, guarded, say, show, show_json
from ferryman_pipelines.cli.summary import table, whole

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Output = Annotated[Format, typer.Option("-o", "--output", help="How to print it.")]


@app.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", help="Only runs of this model.", metavar="NAME")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Only the newest N of them.", metavar="N", min=1)] = None,
    output: Output = Format.text,
) -> None:
    """List all runs of this folder, oldest first, or look at one.

    Example: ferryman runs --model mnist --limit 5
    """
    context.obj = output
    if context.invoked_subcommand is None:
        guarded(_list)(output, model, limit)
    elif model is not None or limit is not None:
        guarded(_refuse_selection)(context.invoked_subcommand)


@app.command("show")
@guarded
def show_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The run's id, or `last`.", metavar="RUN", autocompletion=run_ids)],
    output: Output = Format.text,
) -> None:
    """Show one run: what was decided and why, and each step.

    Example: ferryman runs show last
    """
    record = read_record(find_run(run))
    if wanted(context, output) is Format.json:
        show_json(record.model_dump(mode="json"))
    else:
        show(whole(record, home()))


def wanted(context: typer.Context, output: Format) -> Format:
    """How to print: `runs -o json show RUN` means the same as `runs show RUN -o json`."""
    return Format.json if Format.json in (output, context.obj) else Format.text


def find_run(name: str) -> Run:
    """The run of that id (or `last`); UsageError that names the newest runs when there is none."""
    store = RunStore(home().runs)
    runs = store.runs()
    if name == "last" and runs:
        return runs[-1]
    run = store.run(name)
    if not run.folder.is_dir():
        newest = ", ".join(known.id for known in runs[-3:]) or "none yet"
        raise UsageError(f"no run {name!r} in {store.root}; the newest: {newest}")
    return run


def _list(output: Format, model: str | None, limit: int | None) -> None:
    records: list[RunRecord] = []
    for run in reversed(RunStore(home().runs).runs()):
        if limit is not None and len(records) == limit:
            break
        record = read_record(run)
        if model in (None, record.name):
            records.append(record)
    records.reverse()
    if output is Format.json:
        show_json([record.model_dump(mode="json", exclude={"steps", "verdict"}) for record in records])
    elif records:
        show(table(records))
    else:
        which = f"no runs of the model {model!r}" if model else "no runs"
        say(f"{which} in {home().runs}; start one with `ferryman run SPEC`")


def _refuse_selection(command: str) -> None:
    raise UsageError(f"--model and --limit select runs to list; `runs {command}` takes one run by its id")
