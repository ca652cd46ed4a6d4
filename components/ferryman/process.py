"""The one spawner: every process that Ferryman starts is started here.

A spawned process has its own session (Ctrl-C reaches only us, and we decide), no standard input, its output in a log
file, `PYTHONSAFEPATH=1`, and it dies when we die, however we die. What it used and how it ended comes back as
`Finished`; a Python child that calls `child_main` also hands back the kind and the text of its error by file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal as signals
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ferryman.errors import FerrymanError, kind_of

ERROR_FILE = "FERRYMAN_ERROR_FILE"
"""Environment variable: where a child leaves the kind and text of its error."""

_LAUNCHER = """
import ctypes, os, signal, sys
parent, argv = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(125)
try:
    os.execvp(argv[0], argv)
except OSError as error:
    print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(127)
"""
# PR_SET_PDEATHSIG (1) is set by a launcher that then becomes the program: setting it between fork and exec
# (preexec_fn) can deadlock in a process with threads, and every server and controller of ours has some.


@dataclass(frozen=True)
class ChildError:
    """What a child of ours said about its own failure."""

    kind: str
    text: str
    exit_code: int


@dataclass(frozen=True)
class Finished:
    """How a process ended and what it used; exactly one of `exit_code` and `signal` is set."""

    argv: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    timed_out: bool
    error: ChildError | None
    log: Path

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0 and not self.timed_out

    def reason(self) -> str:
        """Why it failed, in one line; empty when it did not."""
        if self.ok:
            return ""
        if self.timed_out:
            return f"took longer than its limit; stopped after {self.seconds:.0f} s"
        if self.error:
            return self.error.text
        if self.signal is not None:
            name = signals.Signals(self.signal).name
            hint = " (the kernel does so when memory runs out)" if self.signal == signals.SIGKILL else ""
            return f"killed by {name}{hint}"
        return f"exit code {self.exit_code}; {last_line(self.log) or 'it said nothing'}"


class Process:
    """A running child; `wait`, `poll`, `terminate` and `kill` may be called from any thread, any number of times."""

    def __init__(self, argv: Sequence[str], popen: subprocess.Popen[bytes], log: Path, error_file: Path) -> None:
        self.argv, self.log = tuple(argv), log
        self._popen, self._error_file = popen, error_file
        self._started, self._lock = time.monotonic(), threading.Lock()
        self._finished: Finished | None = None
        self._timed_out = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def poll(self) -> Finished | None:
        """How it ended, or None while it runs."""
        with self._lock:
            if self._finished is None:
                pid, status, usage = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self._finished = self._ended(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
            return self._finished

    def wait(self, limit: float | None = None) -> Finished:
        """Wait for its end; after `limit` seconds its whole session is killed and `timed_out` is set."""
        deadline = None if limit is None else time.monotonic() + limit
        pause = 0.002
        while (finished := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                self._timed_out = True
                self.kill()
                deadline = None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return finished

    def terminate(self, grace: float = 10.0) -> Finished:
        """Ask it to end (SIGTERM) and kill it after `grace` seconds."""
        if self.poll() is None:
            self._send(signals.SIGTERM)
            deadline = time.monotonic() + grace
            while self.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
        self.kill()
        return self.wait()

    def kill(self) -> None:
        """Kill its whole session at once; one that has ended stays as it is: its number may be another's by now."""
        if self._finished is None:
            self._kill_session()

    def _kill_session(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signals.SIGKILL)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _ended(self, status: int, cpu_seconds: float, peak_bytes: int) -> Finished:
        code = os.waitstatus_to_exitcode(status)
        self._popen.returncode = code
        # A member of its session that outlives it would be an orphan.
        self._kill_session()
        return Finished(
            argv=self.argv,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            seconds=time.monotonic() - self._started,
            cpu_seconds=cpu_seconds,
            peak_bytes=peak_bytes,
            timed_out=self._timed_out,
            error=_read_error(self._error_file),
            log=self.log,
        )


def spawn(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """Start `argv` (never a shell), its output appended to `log`; `env` is added to our own environment."""
    words = [os.fspath(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    error_file = log.with_name(f"{log.stem}.error.json")
    error_file.unlink(missing_ok=True)
    environment = {**os.environ, **(env or {}), "PYTHONSAFEPATH": "1", ERROR_FILE: str(error_file.resolve())}
    command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *words]

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )

    return Process(words, _spawner().submit(start).result(), log, error_file)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    limit: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Start `argv` and wait for its end, `limit` seconds at most; it is killed when waiting is interrupted."""
    process = spawn(argv, log=log, env=env, cwd=cwd)
    try:
        return process.wait(limit)
    except BaseException:
        process.kill()
        raise


def child_main(main: Callable[[], int | None]) -> NoReturn:
    """Run the main function of a child of ours: its error goes to the log whole, and to the parent by kind and text."""
    try:
        code = main() or 0
    except SystemExit:
        raise
    except BaseException as error:
        traceback.print_exc()
        report_error(error)
        code = error.exit_code if isinstance(error, FerrymanError) else 1
    sys.stdout.flush()
    sys.exit(code)


def report_error(error: BaseException) -> None:
    """Leave kind, text (one line) and exit code of `error` where the parent looks for them, if there is a parent."""
    path = os.environ.get(ERROR_FILE)
    if path:
        exit_code = error.exit_code if isinstance(error, FerrymanError) else 1
        document = {"kind": kind_of(error), "text": one_line(error), "exit_code": exit_code}
        Path(path).write_text(json.dumps(document), encoding="utf-8")


def one_line(error: BaseException, length: int = 600) -> str:
    """The text of `error` in one line of at most `length` characters (TensorFlow's can hold whole arrays)."""
    text = " ".join(str(error).split())
    if not isinstance(error, FerrymanError):
        text = f"{kind_of(error)}: {text}" if text else kind_of(error)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def last_line(log: Path, window: int = 4096) -> str:
    """The last line of a log that is not blank, whatever bytes it holds; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - window))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _read_error(path: Path) -> ChildError | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ChildError(str(document["kind"]), str(document["text"]), int(document["exit_code"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


_spawners: dict[int, ThreadPoolExecutor] = {}


def _spawner() -> ThreadPoolExecutor:
    """One thread that lasts as long as this process: PR_SET_PDEATHSIG fires when the spawning *thread* ends."""
    pid = os.getpid()
    if pid not in _spawners:
        # Keyed by process: after a fork the parent's thread does not exist.
        _spawners[pid] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
    return _spawners[pid]
