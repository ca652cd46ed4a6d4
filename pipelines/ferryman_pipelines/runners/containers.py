"""Tasks as containers of Docker's engine: KFP's own command, as a cluster runs it, in the image that the lock names.

A container sees the run's folder, the pinned inputs and the serving group where they lie here, no network and nothing
else. It is created, started, looked at and removed in single steps: the engine's word on how it ended comes first, and
a container that removes itself takes that along.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError
from ferryman.process import Finished, Process, spawn
from ferryman.spec.targets import StepOptions
from ferryman.spec.units import written_memory
from ferryman_pipelines.images.docker import ask, docker_command
from ferryman_pipelines.runners.call import Call
from ferryman_pipelines.runners.main_process import MainProcess
from ferryman_pipelines.runners.mounts import mounted
from ferryman_pipelines.runners.request import Container, RunRequest
from ferryman_pipelines.runners.sweeping import labels

PIDS: Final = 4096
"""Processes and threads of a container at most: TensorFlow has some dozens a processor, a runaway has no end."""

BEGINNING: Final = 5.0
"""Seconds in which a container that was started has a process."""

PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
"""What Docker's command sets in each container when a person's configuration names proxies."""

CONFINED: Final = (
    *("--pull", "never", "--network", "none", "--read-only", "--tmpfs", "/tmp:rw,nosuid,nodev,mode=1777"),  # noqa: S108
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(PIDS)),
    # The step's log is written here; the engine's own copy of it has no bound.
    *("--log-driver", "none"),
)
"""What holds for the container of any step."""


@dataclass(frozen=True)
class State:
    """How a container ended, in the engine's words."""

    running: bool
    exit_code: int
    out_of_memory: bool
    """Whether any of its processes was killed because its memory ran out, its main one or another."""

    error: str

    @classmethod
    def of(cls, container: str) -> State:
        """Raises UnavailableError: there is no such container, or no engine."""
        found = json.loads(ask("container", "inspect", "--format", "{{json .State}}", container))
        return cls(found["Running"], found["ExitCode"], found["OOMKilled"], found["Error"])


class Containers:
    """Runs the calls of one run, each in the container that its step has in the request."""

    def __init__(self, request: RunRequest, reads: Iterable[Path] = ()) -> None:
        self._request, self._folder = request, request.folder
        self._reads = list(reads)

    def code(self, step: str) -> str:
        """The image's ID: it stands for all code in it."""
        return self._request.containers[step].image

    def execute(self, call: Call, environment: Mapping[str, str]) -> Finished:
        """Run the call in a container of its own, which is gone afterwards."""
        log = self._folder / "logs" / f"{call.function}.log"
        call.output_file.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            container = ask("container", "create", *self._words(call, environment))
        except (UnavailableError, OSError) as error:
            return _never_started(log, f"its container could not be made: {error}")
        try:
            finished = self._attend(call.function, container, log)
            return judged(finished, _state(container), call.function, self._request.containers[call.function])
        finally:
            # What is left is swept when the run ends.
            with contextlib.suppress(UnavailableError):
                ask("container", "rm", "--force", "--volumes", container)

    def _words(self, call: Call, environment: Mapping[str, str]) -> list[str]:
        step = call.function
        made = self._request.containers[step]
        variables = {**dict.fromkeys([*PROXIES, *map(str.lower, PROXIES)], ""), "PYTHONSAFEPATH": "1", **environment}
        return [
            *("--name", f"ferryman-{self._request.run}-{step}", *labels(self._request, step), *CONFINED),
            *("--user", f"{os.getuid()}:{os.getgid()}"),
            # Without swap: a step that needs it takes hours where it could say so.
            *("--memory", str(made.memory), "--memory-swap", str(made.memory)),
            *(("--cpus", str(made.cpus)) if made.cpus else ()),
            *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
            *mounted(self._request, self._reads),
            # As Kubernetes does: a command takes the place of whatever entry point an image has.
            *("--entrypoint", call.command[0], made.image, *call.command[1:]),
        ]

    def _attend(self, step: str, container: str, log: Path) -> Finished:
        limit = self._request.limits.get(step, StepOptions().limit)
        began, main = time.monotonic(), MainProcess(self._folder, step)
        main.expect()
        process = spawn([docker_command(), "container", "start", "--attach", container], log=log)
        try:
            _note(main, process, container)
            return process.wait(max(0.0, limit - (time.monotonic() - began)))
        finally:
            process.kill()
            main.forget()


def judged(finished: Finished, state: State | None, step: str, container: Container) -> Finished:
    """How a step ended: `finished` is what Docker's command came to, `state` the engine's word; None when it has none."""
    if finished.timed_out:
        return finished
    if state is None:
        return replace(finished, cause="its container was removed by somebody else, or the engine ended")
    if state.out_of_memory:
        limit = written_memory(container.memory)
        cause = (
            f"its container's memory limit of {limit} was reached, and the kernel killed a process of it; "
            f"try a higher `steps: {{{step}: {{memory: ...}}}}` in the targets file"
        )
        return replace(finished, cause=cause)
    if state.running:
        return replace(finished, cause="the connection to its container broke while it ran: did the engine end?")
    if state.error:
        return replace(finished, cause=f"its container could not be started: {state.error}")
    code = state.exit_code or finished.exit_code or 0
    killed = code - 128 if code - 128 in {*signal.Signals} else None
    return replace(finished, exit_code=None if killed else code, signal=killed)


def _state(container: str) -> State | None:
    try:
        return State.of(container)
    except UnavailableError:
        return None


def _note(main: MainProcess, process: Process, container: str) -> None:
    """Say which process of this machine the step is, for whoever looks; a view must never end a step, nor keep it."""
    deadline = time.monotonic() + BEGINNING
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(UnavailableError):
            if pid := int(ask("container", "inspect", "--format", "{{.State.Pid}}", container, limit=BEGINNING)):
                main.note(pid, container)
                return
        time.sleep(0.05)


def _never_started(log: Path, cause: str) -> Finished:
    return Finished(
        argv=("docker",),
        exit_code=1,
        signal=None,
        seconds=0.0,
        cpu_seconds=0.0,
        peak_bytes=0,
        timed_out=False,
        error=None,
        log=log,
        cause=cause,
    )
