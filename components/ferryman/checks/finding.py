"""What a check finds: what is the matter, where, and what to try."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import ConfigDict, Field

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import DataError, FerrymanError, SpecError, StepError, UnavailableError, UserCodeError
from ferryman.process import one_line

SPEC, DATA, STEP, UNAVAILABLE = (kind.exit_code for kind in (SpecError, DataError, StepError, UnavailableError))
HELD: Final = 3
"""As a run that the gate holds exits: the bound cannot be reached, so it would be held."""

ORDER: Final = (SPEC, DATA, UNAVAILABLE, STEP, HELD)
"""In which a run would meet them: the first decides what a check with several kinds of errors exits with."""


class Finding(Evidence):
    """One thing that a check found."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["error", "warning", "note"]
    """error: the run would fail or be held; warning: it would run, and likely not give what is wanted; note: news."""

    what: str
    where: str = ""
    """A field of the spec, a line and column of the data, a file."""

    advice: str = Field(default="", alias="try")
    exit_code: int = 0
    """Of an error, as the command line counts them; 0 for the others."""


def error(where: str, what: str, advice: str, exit_code: int) -> Finding:
    """Something that a run would stumble over."""
    return Finding(kind="error", where=where, what=what, advice=advice, exit_code=exit_code)


def warning(where: str, what: str, advice: str) -> Finding:
    """Something that a run would survive, and its author would regret."""
    return Finding(kind="warning", where=where, what=what, advice=advice)


def note(where: str, what: str, advice: str = "") -> Finding:
    """Something good to know."""
    return Finding(kind="note", where=where, what=what, advice=advice)


def exit_code_of(findings: Iterable[Finding]) -> int:
    """0 when nothing stands in the way; else that of the first kind of error that a run would meet."""
    codes = {finding.exit_code for finding in findings if finding.kind == "error"}
    return next((code for code in ORDER if code in codes), min(codes, default=0))


def problem(path: str, message: str) -> Finding:
    """A problem of the spec; what was expected, or the near name, is what to try."""
    for mark, words in (("; did you mean ", "write "), (", expected ", "give ")):
        what, found, rest = message.partition(mark)
        if found:
            return error(path, what, words + rest.rstrip("?"), SPEC)
    advice = "add it" if message == "this field is missing" else "change it (`ferryman spec schema` lists all fields)"
    return error(path, message, advice, SPEC)


def from_error(failure: FerrymanError, where: str = "", advice: str = "") -> Finding:
    """An error that ended a check; its own place counts before `where`."""
    place, text = place_of(failure) or where, one_line(failure)
    text = text.removeprefix(f"{place}: ") if place else text
    return error(place, text, advice, failure.exit_code)


def place_of(failure: FerrymanError) -> str:
    """Where an error says that it happened, as its own text begins; empty when it does not know."""
    if isinstance(failure, SpecError):
        return ": ".join(part for part in (failure.file, failure.path) if part)
    if isinstance(failure, UserCodeError):
        return f"{failure.file}:{failure.line}" if failure.file and failure.line is not None else failure.file
    if isinstance(failure, DataError):
        where = [failure.source] if failure.source else []
        where += [f"line {failure.line}"] if failure.line is not None else []
        where += [f"row {failure.row}"] if failure.row is not None else []
        where += [f"column {failure.column!r}"] if failure.column is not None else []
        return ", ".join(where)
    return ""
