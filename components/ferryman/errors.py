"""The errors of Ferryman: one kind per thing that a caller handles differently.

    FerrymanError                 exit 1   a bug, when nothing finer is said
    ├── UsageError                exit 2   a command was called wrongly
    │   ├── SpecError             exit 2   a spec or targets file says something that cannot be
    │   └── UserCodeError         exit 2   a user's own model, feature or metric does something that cannot be
    ├── DataError                 exit 4   the raw data are not what the spec says
    ├── StepError                 exit 5   a step could not do its work
    │   └── ArtifactError         exit 5   an artifact is torn, altered or missing
    ├── ConflictError             exit 6   somebody else changed what this builds on
    ├── UnavailableError          exit 7   a server, a registry or a lock cannot be had now
    └── InterruptedRunError       exit 130 a person or a signal stopped it

A message says what happened, what was received, what was expected, and what to try.
"""

from __future__ import annotations

from typing import ClassVar


class FerrymanError(Exception):
    """Base of all errors that a user can act upon; its text is one clear message."""

    exit_code: ClassVar[int] = 1


class UsageError(FerrymanError):
    """A command or function was called with something that it cannot take."""

    exit_code = 2


class SpecError(UsageError):
    """A spec or targets file is wrong at `path` (dotted, e.g. `train.epochs`; empty for the whole file)."""

    def __init__(self, path: str, message: str, file: str = "") -> None:
        self.path, self.message, self.file = path, message, file
        super().__init__(": ".join(part for part in (file, path, message) if part))


class UserCodeError(UsageError):
    """A user's own class is wrong: `file` (relative to its package's parent) and `line` say where, when that is known."""

    def __init__(self, message: str, *, file: str = "", line: int | None = None) -> None:
        self.file, self.line = file, line
        place = f"{file}:{line}" if file and line is not None else file
        super().__init__(f"{place}: {message}" if place else message)


class DataError(FerrymanError):
    """The raw data are not what the spec says; `line` or `row` (from 1) and `column` say where, when that is known."""

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        source: str = "",
        line: int | None = None,
        row: int | None = None,
        column: str | int | None = None,
    ) -> None:
        self.source, self.line, self.row, self.column = source, line, row, column
        where = [source] if source else []
        where += [f"line {line}"] if line is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"column {column!r}"] if column is not None else []
        super().__init__(f"{', '.join(where)}: {message}" if where else message)


class StepError(FerrymanError):
    """A step could not do its work: infrastructure, not a verdict on the model."""

    exit_code = 5


class ArtifactError(StepError):
    """An artifact is torn, altered or missing; `file` names what does not agree with the manifest."""

    def __init__(self, message: str, file: str = "") -> None:
        self.file = file
        super().__init__(message)


class ConflictError(FerrymanError):
    """Somebody else changed what this work builds on (another version serves, a compare-and-swap was lost)."""

    exit_code = 6


class UnavailableError(FerrymanError):
    """Something outside cannot be had now: a server, a package registry, a port, a lock."""

    exit_code = 7


class InterruptedRunError(FerrymanError):
    """A person or a signal stopped the work before its end."""

    exit_code = 130


def kind_of(error: BaseException) -> str:
    """The name under which records and step reports keep the kind of an error, e.g. `DataError`."""
    return type(error).__name__
