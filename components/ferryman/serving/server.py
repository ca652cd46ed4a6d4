"""A model server as a process of its own: TensorFlow Serving's where it is installed, else the embedded stand-in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ferryman.errors import StepError, UnavailableError
from ferryman.process import Process, last_line, spawn
from ferryman.serving.config import ModelConfig, render
from ferryman.storage.local import atomic_write

CHOICE = "FERRYMAN_MODEL_SERVER"
"""Environment variable: `embedded` or `real` instead of whichever is there."""

START_LIMIT = 120.0
"""Seconds until a server must listen: TensorFlow's import takes 4 s here, a large model's load a minute."""


@dataclass(frozen=True)
class ServerKind:
    """Which server: its command, what to call it, and whether it stands in for the real one."""

    command: tuple[str, ...]
    description: str
    stand_in: bool


def server_kind() -> ServerKind:
    """The server to use: `tensorflow_model_server` of the PATH before the embedded one.

    Raises:
        UnavailableError: the real one was asked for and is not there.
    """
    choice = os.environ.get(CHOICE, "")
    found = shutil.which("tensorflow_model_server")
    if choice == "real" and not found:
        raise UnavailableError(f"{CHOICE}=real, but there is no tensorflow_model_server on the PATH")
    if found and choice != "embedded":
        said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
        return ServerKind((found,), f"tensorflow_model_server {(said.split() or ['?'])[-1]}", False)
    command = (sys.executable, "-m", "ferryman.model_server")
    return ServerKind(command, f"ferryman-model-server {version('ferryman')}", True)


class ServerProcess:
    """A running server; `stop` ends it, and so does our own end."""

    def __init__(self, kind: ServerKind, process: Process, host: str, ports: tuple[int, int], started: float) -> None:
        self.kind, self.process = kind, process
        self.grpc_address = f"{host}:{ports[0]}"
        self.rest_url = f"http://{host}:{ports[1]}"
        self.start_seconds = started

    @property
    def description(self) -> str:
        """Which server it is."""
        return self.kind.description

    @property
    def stand_in(self) -> bool:
        """Whether it is the embedded one."""
        return self.kind.stand_in

    def listens(self) -> bool:
        """Whether both ports accept connections, and it is this very process that does."""
        addresses = self.grpc_address, self.rest_url.removeprefix("http://")
        ports = {int(address.rpartition(":")[2]) for address in addresses}
        return all(map(listening, addresses)) and owns(self.process.pid, ports)

    def stop(self) -> None:
        """End it, politely at first."""
        self.process.terminate(grace=5.0)


def start_server(
    configs: Iterable[ModelConfig],
    *,
    folder: Path,
    grpc_port: int = 0,
    rest_port: int = 0,
    host: str = "127.0.0.1",
    wait: bool = True,
) -> ServerProcess:
    """Start a server that holds `configs`; its start-up file and log lie in `folder`. Port 0 takes a free one.

    Raises:
        UnavailableError: a port is taken.
        StepError: it ended before it listened, with its last words, or did not listen in time.
    """
    kind = server_kind()
    ports = free_ports(host, (grpc_port, rest_port))
    for port in (grpc_port, rest_port):
        if port:
            check_free(host, port)
    startup = folder / "models.config"
    atomic_write(startup, render(configs).encode())
    return launch(kind, startup, folder, host, ports, wait=wait)


def launch(
    kind: ServerKind, startup: Path, folder: Path, host: str, ports: tuple[int, int], *, wait: bool
) -> ServerProcess:
    """Start a server of `kind` from an existing start-up file."""
    began = time.monotonic()
    bind = [f"--host={host}"] if kind.stand_in else []
    process = spawn(
        [
            *kind.command,
            *bind,
            f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}",
            f"--model_config_file={startup}",
            # A label in the start-up file points at a version that is still loading.
            "--allow_version_labels_for_unavailable_models=true",
            # Loads in the manager thread would block every other load, and the way back (the default 0 does that).
            "--num_load_threads=2",
            "--num_unload_threads=1",
            "--max_num_load_retries=1",
            "--load_retry_interval_micros=1000000",
            "--file_system_poll_wait_seconds=1",
        ],
        log=folder / "server.log",
        env={"TF_CPP_MIN_LOG_LEVEL": "1"},
        warm_start=True,
    )
    server = ServerProcess(kind, process, host, ports, 0.0)
    if wait:
        await_listening(server, START_LIMIT)
        server.start_seconds = time.monotonic() - began
    return server


def await_listening(server: ServerProcess, limit: float) -> None:
    """Wait until both ports listen; StepError when the server ends before, or takes longer."""
    deadline = time.monotonic() + limit
    while not server.listens():
        finished = server.process.poll()
        if finished:
            raise StepError(
                f"{server.description} ended before it listened: {last_line(server.process.log) or finished.reason()}"
            )
        if time.monotonic() > deadline:
            server.process.kill()
            raise StepError(f"{server.description} did not listen within {limit:.0f} s (log: {server.process.log})")
        time.sleep(0.05)


def listening(address: str) -> bool:
    """Whether something accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, int(port))) == 0


def owns(pid: int, ports: set[int]) -> bool:
    """Whether the process `pid` is who listens on each of `ports`; True where the system does not tell.

    Who answers on a port may be another group's server, which must never be told what to hold.
    """
    found = listening_ports(pid)
    return found is None or ports <= found


def listening_ports(pid: int) -> set[int] | None:
    """The TCP ports on which the process `pid` listens; None where the system does not tell."""
    try:
        names = [_target(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        lines = [line.split() for table in ("tcp", "tcp6") for line in _lines(Path(f"/proc/{pid}/net/{table}"))]
    except PermissionError:
        return None
    except OSError:
        return set() if Path("/proc/self/fd").is_dir() else None
    sockets = {name.removeprefix("socket:[").removesuffix("]") for name in names if name.startswith("socket:[")}
    # Local address:port in hex, state (0A: listening) and inode. Source: Linux, Documentation/networking/proc_net_tcp.
    return {int(line[1].rpartition(":")[2], 16) for line in lines if line[3] == "0A" and line[9] in sockets}


def _target(link: Path) -> str:
    """Where a link leads; empty when it was closed meanwhile."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def _lines(table: Path) -> list[str]:
    return table.read_text().splitlines()[1:] if table.exists() else []


def free_ports(host: str, wanted: tuple[int, int]) -> tuple[int, int]:
    """The wanted ports, or free ones in the place of 0, two different ones."""
    grpc_port = wanted[0] or free_port(host)
    rest_port = wanted[1] or free_port(host)
    while rest_port == grpc_port and not wanted[1]:
        rest_port = free_port(host)
    return grpc_port, rest_port


def free_port(host: str) -> int:
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def check_free(host: str, port: int) -> None:
    """UnavailableError when `port` is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UnavailableError(
                f"port {port} on {host} cannot be had: {error.strerror} (is another server running? choose another port)"
            ) from error
