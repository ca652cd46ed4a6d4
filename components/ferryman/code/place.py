"""Where in the user's code something went wrong: file and line of the deepest frame that is theirs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from ferryman.errors import FerrymanError, UserCodeError
from ferryman.process import one_line


@contextmanager
def blaming(culprit: Any, doing: str) -> Iterator[None]:
    """Whatever the user's code raises in this block becomes a UserCodeError that says `doing`, and where.

    `culprit` is the class or method to name when no frame of the error is the user's (a call with wrong arguments).
    """
    try:
        yield
    except FerrymanError:
        raise
    except Exception as error:
        theirs = _theirs(culprit)
        file, line = raised_at(error, package_folder(theirs)) or defined_at(theirs)
        raise UserCodeError(f"{doing}: {one_line(error)}", file=file, line=line) from error


def wrong(culprit: Any, message: str) -> UserCodeError:
    """The error that blames a class or method of the user's at its definition."""
    file, line = defined_at(_theirs(culprit))
    return UserCodeError(message, file=file, line=line)


def raised_at(error: BaseException, folder: Path | None) -> tuple[str, int | None] | None:
    """File (relative to the parent of `folder`, the package) and line where the user's code raised; None if it did not."""
    if folder is None:
        return None
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return _relative(error.filename, folder), error.lineno
    frames = [(file, line) for file, line in _frames(error.__traceback__) if Path(file).is_relative_to(folder)]
    if frames:
        file, line = frames[-1]
        return _relative(file, folder), line
    # Keras and TensorFlow raise errors of their own over those of a layer.
    below = error.__cause__ or error.__context__
    return raised_at(below, folder) if below else None


def defined_at(culprit: Any) -> tuple[str, int | None]:
    """File and line of the definition of a class or function; an empty file when Python does not know."""
    folder = package_folder(culprit)
    try:
        target = inspect.unwrap(culprit)
        file = inspect.getsourcefile(target) or ""
        line = _code_line(target) or inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        return "", None
    inside = folder is not None and Path(file).is_relative_to(folder)
    return (_relative(file, folder) if inside and folder else Path(file).name), line


def package_folder(culprit: Any) -> Path | None:
    """The folder of the top-level package that a class, function or instance comes from; None when it has none."""
    import sys

    name = getattr(culprit, "__module__", None) or type(culprit).__module__
    package = sys.modules.get(name.partition(".")[0])
    places = list(getattr(package, "__path__", ()))
    return Path(places[0]) if places else None


def _theirs(culprit: Any) -> Any:
    """The culprit; for a method that the user's class inherits from ours, that class."""
    owner = type(getattr(culprit, "__self__", None))
    inherited = inspect.ismethod(culprit) and package_folder(culprit) != package_folder(owner)
    return owner if inherited else culprit


def _code_line(target: Any) -> int | None:
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    return code.co_firstlineno if code else None


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _relative(file: str, folder: Path) -> str:
    return Path(file).relative_to(folder.parent).as_posix()
