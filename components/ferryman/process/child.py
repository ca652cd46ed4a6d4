"""The child's side: how a process of ours tells its parent why it failed."""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from ferryman.errors import FerrymanError, kind_of

ERROR_FILE = "FERRYMAN_ERROR_FILE"
"""Environment variable: where a child leaves the kind and text of its error."""


def child_main(main: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a child of ours: its error goes to the log whole, and to the parent by kind and text."""
    try:
        code = main() or 0
    except SystemExit as request:
        code = _code(request)
    except BaseException as error:
        traceback.print_exc()
        report_error(error)
        code = error.exit_code if isinstance(error, FerrymanError) else 1
    _leave(code)


def _code(request: SystemExit) -> int:
    """The exit code that Python would end with; a text is said, and counts as 1."""
    if request.code is None or isinstance(request.code, int):
        return request.code or 0
    print(request.code, file=sys.stderr)
    return 1


def _leave(code: int) -> NoReturn:
    """End as Python does, but for taking its modules apart: with TensorFlow that costs 0.2 to 0.5 CPU seconds.

    `multiprocessing` ends its children so (CPython 3.13, `multiprocessing/process.py`, `_bootstrap`).
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def report_error(error: BaseException) -> None:
    """Leave kind, text (one line) and exit code of `error` where the parent looks for them, if there is a parent."""
    path = os.environ.get(ERROR_FILE)
    if path:
        exit_code = error.exit_code if isinstance(error, FerrymanError) else 1
        document = {"kind": kind_of(error), "text": one_line(error), "exit_code": exit_code}
        Path(path).write_text(json.dumps(document), encoding="utf-8")


_NOISE: Final = re.compile(
    r"""\x1b\[[0-9;]*m                                # colours
    |\{\{function_node[ ][^}]*\}\} |\[\[\{\{node[ ][^}]*\}\}\]\] |\[Op:[^\]]*\]
    |^[ ]*File[ ]".*",[ ]line[ ]\d+,[ ]in[ ].*$ |[ ]defined[ ]at[ ]\(most[ ]recent[ ]call[ ]last\)
    """,
    re.MULTILINE | re.VERBOSE,
)
"""What TensorFlow (2.21) puts round the one sentence that says what is wrong: in front of it, up to 3 kB of its frames."""


def one_line(error: BaseException, length: int = 600) -> str:
    """The text of `error` in one line of at most `length` characters (TensorFlow's can hold whole arrays)."""
    text = " ".join(_NOISE.sub("", str(error)).split())
    if not isinstance(error, FerrymanError):
        text = f"{kind_of(error)}: {text}" if text else kind_of(error)
    return text if len(text) <= length else f"{text[: length - 1]}…"
