"""`ferryman runs compare`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from ferryman.errors import UsageError
from ferryman_pipelines.cli.comparison import Comparison, Measured, Row, compared
from ferryman_pipelines.cli.output import Format, show, show_json
from ferryman_pipelines.cli.runs import Output, find_run, wanted
from ferryman_pipelines.cli.side import read_side

WIDEST = 60
"""Characters of a value in a column; what is longer is cut: `-o json` has all of it."""


UNITS: dict[str, Callable[[float], str]] = {
    "bytes": lambda value: f"{value / 1000:,.0f} kB",
    "latency": lambda value: f"{value * 1000:.2f} ms",
    "seconds": lambda value: f"{value:,.1f} s",
}
"""How numbers with a unit are written; documents keep bytes and seconds."""


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="A run's id, or `last`.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Another run of the same model.", metavar="B")],
    output: Output = Format.text,
) -> None:
    """Show two runs of one model side by side.

    That is what was asked for, what was measured and what was decided.

    Example: ferryman runs compare mnist-20261125-081351-210b last
    """
    sides = [read_side(find_run(run)) for run in (a, b)]
    names = [side.record.name for side in sides]
    if names[0] != names[1]:
        raise UsageError(
            f"{a} is a run of the model {names[0] or '(unknown)'}, {b} one of {names[1] or '(unknown)'}: "
            "expected two runs of one model, whose numbers mean the same"
        )
    found = compared(*sides)
    if wanted(context, output) is Format.json:
        show_json(found.document())
    else:
        show("\n".join(_lines(found)))


def _lines(found: Comparison) -> Iterator[str]:
    for letter, side in (("A", found.a), ("B", found.b)):
        yield f"{letter}  {side.record.run}  {side.record.outcome}"
    written = [(section, [_cells(row) for row in section.rows]) for section in found.sections]
    rows = [cells for _, part in written for cells in part]
    widths = [max((len(cells[column]) for cells in rows), default=0) for column in range(2)]
    for section, part in written:
        yield ""
        yield section.title
        yield from (f"  {section.note}",) if section.note else ()
        yield from (f"  {name:<{widths[0]}}  {one:<{widths[1]}}  {other}".rstrip() for name, one, other in part)


def _cells(row: Row) -> tuple[str, str, str]:
    return row.name, _text(row.a, row.unit), _text(row.b, row.unit)


def _text(value: Any, unit: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, Measured):
        spread = f" ({value.low:.4g} to {value.high:.4g})" if value.low is not None and value.high is not None else ""
        return f"{value.value:.4g}{spread}"
    if isinstance(value, bool | dict | list):
        text = json.dumps(value, ensure_ascii=False)
    elif unit and isinstance(value, int | float):
        text = UNITS[unit](value)
    else:
        text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
