"""Which model server the black-box suite is about: ours, the real one by its command, or one that runs already.

Ours is the default. Two environment variables choose another:

- FERRYMAN_MODEL_SERVER_COMMAND=/usr/bin/tensorflow_model_server: every case starts that, with stock flags only.
- FERRYMAN_MODEL_SERVER_ADDRESS=HOST:GRPC_PORT,HOST:REST_PORT with FERRYMAN_MODEL_SERVER_FOLDER=FOLDER: that server,
  which must read FOLDER (empty; the suite writes its models there) under the same path and be started with the flags
  of `FLAGS` and an empty `model_config_list {}`; cases that need a process of their own are skipped.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from serving_client import Client

from ferryman.serving.server import free_port, listening

HOST = "127.0.0.1"

START_LIMIT = 120.0
"""Seconds until a server listens or ends: TensorFlow's import takes 4 s on two cores, more when others run."""

FLAGS = (
    # A failing load must block neither the others nor the way back; and END must come at once.
    "--num_load_threads=2",
    "--num_unload_threads=1",
    "--max_num_load_retries=0",
    "--file_system_poll_wait_seconds=1",
    "--allow_version_labels_for_unavailable_models=true",
)
"""What the shared server of a module is started with; a module's own FLAGS come after them."""


@dataclass
class Started:
    """A server's process, its logs, and what may be asked of it once it listens."""

    process: subprocess.Popen[bytes]
    folder: Path
    grpc_port: int
    rest_port: int
    clients: list[Client] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.grpc_port}"

    @property
    def rest(self) -> str:
        return f"{HOST}:{self.rest_port}"

    @property
    def out(self) -> str:
        """What it wrote to standard output so far."""
        return (self.folder / "stdout").read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it wrote to standard error so far."""
        return (self.folder / "stderr").read_text(errors="replace")

    def listens(self) -> bool:
        return all(listening(f"{HOST}:{port}") for port in (self.grpc_port, self.rest_port) if port)

    def client(self) -> Client:
        """A client, once all its ports listen."""
        deadline = time.monotonic() + START_LIMIT
        while not self.listens():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.out}\n{self.err[-2000:]}"
            assert time.monotonic() < deadline, f"does not listen:\n{self.out}\n{self.err[-2000:]}"
            time.sleep(0.05)
        self.clients.append(Client(self.address, self.rest))
        return self.clients[-1]

    def ended(self, limit: float = START_LIMIT) -> int:
        """Its exit code, as a shell's `$?` shows it, when it ends within `limit` seconds."""
        code = self.process.wait(limit)
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(6)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass(frozen=True)
class Target:
    """The server that is examined."""

    command: tuple[str, ...]
    """Empty: one that runs already, at `address` and `rest`."""

    ours: bool = False
    address: str = ""
    rest: str = ""
    folder: Path | None = None

    def start(self, folder: Path, *flags: str, grpc_port: int | None = None, rest_port: int | None = None) -> Started:
        """Start it with `flags` on free ports (0: without that port); logs lie in `folder`. Does not wait."""
        if not self.command:
            pytest.skip("needs a process of its own; FERRYMAN_MODEL_SERVER_ADDRESS names one that runs already")
        folder.mkdir(parents=True, exist_ok=True)
        grpc_port = free_port(HOST) if grpc_port is None else grpc_port
        rest_port = free_port(HOST) if rest_port is None else rest_port
        words = [*self.command, f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = subprocess.Popen(
                words,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0", "CUDA_VISIBLE_DEVICES": "-1"},
            )
        return Started(process, folder, grpc_port, rest_port)


def target() -> Target:
    """The server that the environment chooses."""
    if address := os.environ.get("FERRYMAN_MODEL_SERVER_ADDRESS"):
        grpc_address, _, rest = address.partition(",")
        folder = os.environ.get("FERRYMAN_MODEL_SERVER_FOLDER")
        if not rest or not folder:
            raise pytest.UsageError(
                "FERRYMAN_MODEL_SERVER_ADDRESS: expected HOST:GRPC_PORT,HOST:REST_PORT, and "
                f"FERRYMAN_MODEL_SERVER_FOLDER a folder that this server can read; received {address!r} and {folder!r}"
            )
        return Target((), address=grpc_address, rest=rest, folder=Path(folder))
    if command := os.environ.get("FERRYMAN_MODEL_SERVER_COMMAND"):
        words = tuple(shlex.split(command))
        return Target(words, ours=Path(words[0]).name == "ferryman-model-server")
    return Target((sys.executable, "-m", "ferryman.model_server"), ours=True)
