"""What a command prints: data on stdout, words about the work on stderr, one clear message for an error."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from ferryman.errors import FerrymanError, InterruptedRunError, UnavailableError

P = ParamSpec("P")

debug = False
"""Set by `--debug`: show tracebacks."""


class Format(StrEnum):
    """How a command prints its result."""

    text = "text"
    json = "json"


def program() -> str:
    """What a person types to call us again: `ferryman`, or a path where the shell does not find this one by name."""
    called = Path(sys.argv[0])
    if called.name != "ferryman":
        return "ferryman"
    found = shutil.which("ferryman")
    if found and Path(found).resolve() == called.resolve():
        return "ferryman"
    # As it was typed: a relative path stays short. With a space in it a shell takes it in quotes alone.
    return shlex.quote(str(called))


def say(text: str = "") -> None:
    """Words about the work, to stderr."""
    print(text, file=sys.stderr, flush=True)


def show(text: str) -> None:
    """The command's result as text, to stdout."""
    print(text, flush=True)


def show_json(document: Any) -> None:
    """The command's result as JSON, to stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str), flush=True)


def size_text(size: int) -> str:
    """A size with its unit, e.g. `3.4 MB`; powers of ten, as disks are sold."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """A command whose errors become one message and its exit code; a bug says how to see its traceback."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            code = command(*arguments, **options) or 0
        except FerrymanError as error:
            code = error.exit_code
            _complain(str(error))
        except KeyboardInterrupt:
            code = InterruptedRunError.exit_code
            _complain("interrupted")
        except BrokenPipeError:
            # The reader of our output went away (`ferryman runs | head`); closing stdout again would only complain.
            sys.stderr.close()
            code = 0
        except OSError as error:
            code = UnavailableError.exit_code
            _complain(_place(error))
        except Exception as error:
            code = 1
            _complain(f"a bug in ferryman: {type(error).__name__}: {error}", bug=True)
        sys.exit(code)

    return run


def _place(error: OSError) -> str:
    """A file that cannot be had, and what to try where it is one of ours."""
    reason = error.strerror or str(error)
    if not error.filename:
        return reason
    folder = os.environ.get("FERRYMAN_HOME") or ".ferryman"
    ours = Path(os.fsdecode(error.filename)).absolute().is_relative_to(Path(folder).absolute())
    hint = " (set FERRYMAN_HOME to a folder where you may write)" if ours else ""
    return f"{os.fsdecode(error.filename)}: {reason}{hint}"


def _complain(text: str, bug: bool = False) -> None:
    if debug:
        traceback.print_exc()
    say(f"ferryman: {text}")
    if bug and not debug:
        say("Run it again with `ferryman --debug ...` for the traceback, and please report it.")
