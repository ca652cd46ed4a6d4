"""Two runs of one model side by side. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ferryman.artifacts.evidence import Rung
from ferryman.spec.differences import differences
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.cli.side import Side


@dataclass(frozen=True)
class Measured:
    """A metric on the test split with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


class Row(NamedTuple):
    """One thing of which both runs say something; None where one does not."""

    name: str
    a: Any
    b: Any
    unit: str = ""
    """`bytes`, `latency` or `seconds`: what a number counts; empty for a plain one."""


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    key: str
    """Its name in documents."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""
    """What to know before reading the rows."""


@dataclass(frozen=True)
class Comparison:
    """Both runs, and what is said of them."""

    a: Side
    b: Side
    sections: tuple[Section, ...]
    same_rows: bool | None
    """Whether both were judged on the same test rows; None where nobody here knows."""

    def document(self) -> dict[str, Any]:
        """As plain JSON data: a section's name -> what -> a and b, in bytes and seconds."""
        parts = {
            section.key: {row.name: {"a": _plain(row.a), "b": _plain(row.b)} for row in section.rows}
            for section in self.sections
        }
        runs = {"a": self.a.record.run, "b": self.b.record.run}
        return {"model": self.a.record.name, "runs": runs, "same_test_rows": self.same_rows, **parts}


def compared(a: Side, b: Side) -> Comparison:
    """What two runs of one model asked for, measured, decided and took."""
    same = _same_rows(a, b)
    sections = (
        _spec(a, b),
        Section("data", "data", tuple(_rows(a, b, _data)), _NOTES[same]),
        Section("metrics", "metrics on the test split (95 % interval)", tuple(_rows(a, b, _metrics))),
        Section("conversion", "conversion", tuple(_rows(a, b, _conversion))),
        Section("serving", "serving check", tuple(_rows(a, b, _serving))),
        Section("verdict", "verdict", tuple(_rows(a, b, _verdict))),
        Section("seconds", "durations", tuple(_rows(a, b, _seconds))),
    )
    return Comparison(a, b, tuple(part for part in sections if part.rows or part.note), same)


_NOTES = {
    True: "the same test rows",
    False: "other test rows: a difference of the metrics may come from them",
    None: "whether both were judged on the same test rows is not known",
}


def _spec(a: Side, b: Side) -> Section:
    if a.spec is None or b.spec is None:
        return Section("spec", "spec", (), "not known of both: a run was not started from here")
    rows = tuple(Row(part.field, part.a, part.b) for part in differences(a.spec, b.spec))
    return Section("spec", "spec", rows, "" if rows else "the same in every field")


def _same_rows(a: Side, b: Side) -> bool | None:
    """The rule decides a row's side, beside the source's bytes."""
    known = [(_sha256(side), side.fact("prepare", "split_rule")) for side in (a, b)]
    return None if any(part is None for side in known for part in side) else known[0] == known[1]


def _sha256(side: Side) -> Any:
    source = side.fact("prepare", "source")
    return source.get("sha256") if isinstance(source, dict) else None


Said = Iterable[tuple[str, Any, str]]
"""Name, value and unit of what one run says."""


def _rows(a: Side, b: Side, said: Callable[[Side], Said]) -> Iterator[Row]:
    one, other = ({name: (value, unit) for name, value, unit in said(side)} for side in (a, b))
    nothing = (None, "")
    for name in [*one, *(name for name in other if name not in one)]:
        unit = one.get(name, nothing)[1] or other.get(name, nothing)[1]
        yield Row(name, one.get(name, nothing)[0], other.get(name, nothing)[0], unit)


def _data(side: Side) -> Said:
    sha256, sizes = _sha256(side), side.fact("prepare", "sizes")
    if sha256:
        yield "source sha256", str(sha256)[:12], ""
    for split, rows in sizes.items() if isinstance(sizes, dict) else ():
        yield f"{split} rows", rows, ""


def _metrics(side: Side) -> Said:
    if side.evaluation:
        for name, score in side.evaluation.metrics.items():
            yield side.evaluation.metric_name(name), Measured(score.value, score.low, score.high), ""
    else:
        for part in side.record.steps:
            if part.step == "evaluate":
                yield from ((name, Measured(value, None, None), "") for name, value in part.metrics.items())


def _conversion(side: Side) -> Said:
    if side.conversion:
        yield "chosen", side.conversion.chosen or "none", ""
        for rung in side.conversion.rungs:
            yield from _rung(rung)


def _rung(rung: Rung) -> Said:
    yield f"{rung.name} size", rung.size_bytes, "bytes"
    yield f"{rung.name} latency", rung.latency, "latency"
    yield f"{rung.name} lost", _rounded(rung.lost), ""


def _serving(side: Side) -> Said:
    if side.check:
        yield "p50", side.check.p50, "latency"
        yield "p99", side.check.p99, "latency"
        yield "memory", side.check.memory_bytes, "bytes"
        yield "load", side.check.load_seconds, "seconds"


def _verdict(side: Side) -> Said:
    verdict = side.record.verdict or {}
    yield "kind", verdict.get("kind"), ""
    reasons = verdict.get("reasons")
    for reason in reasons if isinstance(reasons, list) else ():
        yield str(reason.get("check")), "ok" if reason.get("ok") else "HOLD", ""


def _seconds(side: Side) -> Said:
    took = {part.step: part.seconds for part in side.record.steps}
    # In the pipeline's order, whichever of the two runs came how far.
    yield from ((step, took.get(step), "seconds") for step in STEPS if step in took)
    yield "whole run", side.record.seconds, "seconds"


def _rounded(value: float | None) -> float | None:
    # Adding 0.0 turns -0.0 into 0.0.
    return None if value is None else round(value, 4) + 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, Measured):
        return {name: _plain(number) for name, number in asdict(value).items()}
    # JSON knows no NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else value
