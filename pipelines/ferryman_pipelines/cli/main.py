"""`ferryman`: the command line. It starts without TensorFlow, and without KFP until a pipeline is compiled."""

from __future__ import annotations

from typing import Annotated

import typer

from ferryman_pipelines.cli import (
    check,
    clean,
    compare,
    doctor,
    gate,
    images,
    init,
    lint,
    logs,
    output,
    predict,
    promote,
    reports,
    rollback,
    run,
    runs,
    serve,
    spec,
)
from ferryman_pipelines.cli import compile as compiling

app = typer.Typer(
    name="ferryman",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        output.show(f"ferryman {version('ferryman')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Carries a machine-learning model from raw data to a served model, and checks every hand-over with numbers.

    Example: ferryman run pipelines/specs/mnist.yaml

    With data of your own: ferryman init cars.csv --label price
    """
    output.debug = debug


app.command("init")(output.guarded(init.init))
app.command("run")(output.guarded(run.run))
app.command("check")(output.guarded(check.check))
app.add_typer(runs.app, name="runs")
runs.app.command("logs")(output.guarded(logs.logs))
runs.app.command("open")(output.guarded(reports.open_))
runs.app.command("compare")(output.guarded(compare.compare))
app.command("gate")(output.guarded(gate.gate))
app.command("serve")(output.guarded(serve.serve))
app.command("predict")(output.guarded(predict.predict))
app.command("promote")(output.guarded(promote.promote))
app.command("rollback")(output.guarded(rollback.rollback))
app.command("clean")(output.guarded(clean.clean))
app.command("doctor")(output.guarded(doctor.doctor))
app.command("compile")(output.guarded(compiling.compile_))
app.command("lint")(output.guarded(lint.lint))
app.add_typer(images.app, name="images")
app.add_typer(spec.app, name="spec")


def main() -> None:
    """The console script."""
    app()
