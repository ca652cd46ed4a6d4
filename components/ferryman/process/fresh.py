"""A process started afresh: a launcher that ties itself to its parent's life and then becomes the program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ferryman.process.running import Ended

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


class FreshChild:
    """A child of this very process."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        return Ended(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def start(
    words: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path | None, descriptors: Sequence[int] = ()
) -> FreshChild:
    """Start `words` in a session of its own, with no open files but `descriptors`; it dies when this process does."""
    command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *words]

    def begin() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
                pass_fds=descriptors,
            )

    return FreshChild(_spawner().submit(begin).result())


_spawners: dict[int, ThreadPoolExecutor] = {}


def _spawner() -> ThreadPoolExecutor:
    """One thread that lasts as long as this process: PR_SET_PDEATHSIG fires when the spawning *thread* ends."""
    pid = os.getpid()
    if pid not in _spawners:
        # Keyed by process: after a fork the parent's thread does not exist.
        _spawners[pid] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
    return _spawners[pid]
