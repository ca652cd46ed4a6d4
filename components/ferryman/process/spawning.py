"""Starting a child: warm where that is asked for and possible, else fresh."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ferryman.process import fresh, warm
from ferryman.process.child import ERROR_FILE
from ferryman.process.finished import Finished
from ferryman.process.running import Process

Words = Sequence[str | os.PathLike[str]]

BACKLOG = 64
"""Children that may wait for the fork server's imports; more come fresh."""


def spawn(
    argv: Words, *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, warm_start: bool = False
) -> Process:
    """Start `argv` (never a shell), its output appended to `log`; `env` is added to our own environment.

    With `warm_start` a `[sys.executable, "-m", MODULE, ...]` is forked from the fork server, if one runs for us and
    the child's environment is the server's; otherwise, and always without it, the child comes fresh. Whatever made
    a process come fresh makes its children come fresh too, so that nobody outlives the fork server of a child: only
    who started the server must look whether a child is `lost`.
    """
    words, environment, error_file = _prepared(argv, log, env)
    child = warm.start(words, log, environment, cwd) if warm_start else None
    return Process(words, child or fresh.start(words, log, environment, cwd), log, error_file)


def run(
    argv: Words,
    *,
    log: Path,
    limit: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    warm_start: bool = False,
) -> Finished:
    """Start `argv` and wait for its end, `limit` seconds at most; it is killed when waiting is interrupted."""
    process = spawn(argv, log=log, env=env, cwd=cwd, warm_start=warm_start)
    try:
        return process.wait(limit)
    except BaseException:
        process.kill()
        raise


@contextlib.contextmanager
def warm_children(modules: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Iterator[Process | None]:
    """While the block runs, warm children of this process, and of its children, have imported `modules` already.

    `NAME=VALUE` among `modules` is an environment variable for the imports alone, unless it is set already; `env` is
    added to that of the children. Gives the server's process: when it ends before the block does, children come fresh.
    None where there can be no server (PR_SET_PDEATHSIG and sockets without files are Linux's).
    """
    if sys.platform != "linux":
        yield None
        return
    address, earlier = f"ferryman-{secrets.token_hex(16)}", os.environ.get(warm.ADDRESS)
    server = _start_server(address, modules, log, env)
    os.environ[warm.ADDRESS] = address
    try:
        yield server
    finally:
        del os.environ[warm.ADDRESS]
        if earlier is not None:
            os.environ[warm.ADDRESS] = earlier
        server.kill()
        server.wait()


def _start_server(address: str, modules: Sequence[str], log: Path, env: Mapping[str, str] | None) -> Process:
    # Listening from the start: whoever comes before the imports are done waits for them.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{address}")
        listener.listen(BACKLOG)
        descriptor = listener.fileno()
        argv = [sys.executable, "-m", "ferryman.process.fork_server", str(descriptor), *modules]
        words, environment, error_file = _prepared(argv, log, env)
        child = fresh.start(words, log, environment, None, [descriptor])
    return Process(words, child, log, error_file)


def _prepared(argv: Words, log: Path, env: Mapping[str, str] | None) -> tuple[list[str], dict[str, str], Path]:
    """The words, the environment and the error file of a child; the log's folder exists, the error file does not."""
    words = [os.fspath(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    error_file = log.with_name(f"{log.stem}.error.json")
    error_file.unlink(missing_ok=True)
    environment = {**os.environ, **(env or {}), "PYTHONSAFEPATH": "1", ERROR_FILE: str(error_file.resolve())}
    return words, environment, error_file
