"""`ferryman-model-server`: a stand-in for tensorflow_model_server on laptops, in tests and in checks.

What it prints on standard output and how it exits are the real server's (`model_servers/main.cc`, 2.21); for people it
logs on standard error.
"""

from __future__ import annotations

import contextlib
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn, cast

from ferryman.model_server.ending import FAILED, at_once

if TYPE_CHECKING:
    from ferryman.model_server.command_line import CommandLine

PROGRAM = "ferryman-model-server"


def main() -> None:
    """The console script."""
    at_once()
    from ferryman.model_server.command_line import parse, usage
    from ferryman.model_server.logs import configure, log

    # A word that is no UTF-8 goes out as it came in, whatever the locale.
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="surrogateescape")
    words = parse(sys.argv[1:])
    configure(words.flags.log_format)
    if words.wrong or words.help:
        print(usage(PROGRAM), end="", flush=True)
        for text in words.wrong:
            log.error("Couldn't interpret value: %s", text)
        _leave(FAILED)
    if words.flags.version:
        print(_versions())
        _leave(0)
    _tell(words)
    _require_tensorflow()
    # Of what TensorFlow itself writes, warnings and errors alone, unless somebody asks for more.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    from ferryman.model_server.start import serve

    _leave(serve(words.flags))


def _tell(words: CommandLine) -> None:
    """Say which words change nothing, and why."""
    from ferryman.model_server.logs import log

    for word in words.unknown:
        print(f"unknown argument: {word}", flush=True)
    if words.unknown:
        log.warning("Passed over, as the real server does: %s; --help lists the flags", " ".join(words.unknown))
    for text in words.hints:
        log.warning("%s", text)
    if words.ineffective:
        log.info("Without effect here: %s", ", ".join(f"--{name}" for name in words.ineffective))


def _require_tensorflow() -> None:
    from importlib.util import find_spec

    if find_spec("tensorflow") is None:
        # It is loaded with the first model, which would be blamed for it.
        print("Failed to start server. Error: TensorFlow is not installed; try pip install 'ferryman[serve]'")
        _leave(FAILED)


def _versions() -> str:
    """The two lines of the real server, of which the first says which server this is."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        library = version("tensorflow")
    except PackageNotFoundError:
        library = "not installed"
    ours = f"{PROGRAM} {version('ferryman')} (stands in for tensorflow_model_server)"
    return f"TensorFlow ModelServer: {ours}\nTensorFlow Library: {library}"


def _leave(code: int) -> NoReturn:
    """End without waiting for threads: a request that runs after its time must not keep the process."""
    for stream in (sys.stdout, sys.stderr):
        # Nobody may be left to read.
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
