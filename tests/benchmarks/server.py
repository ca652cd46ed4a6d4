"""How fast the embedded model server answers, beside a server that does nothing, and whether its memory stays flat.

    python tests/benchmarks/server.py [--quick] [speed | memory]

Prints JSON lines {"name", "ours", "floor", "ratio", "unit", "runs"}: medians of measurements in alternation. The server
has processor 0, the load processor 1; the floors are an echo server of the same transport, one that also reads and writes
its messages or its JSON (plain, json), a naive server and the bare call of the runtime. Latencies (ours p99, floor p50)
have the unit ms. `memory` prints what all processes of the server hold over requests and reloads: {"name", "start",
"end", "slope", "unit", "series"}.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ferryman.serving.config import ModelConfig, reload_request, render
from ferryman.serving.protocol.services import MODELS, Stub
from ferryman.serving.server import free_port, listening

HERE = Path(__file__).resolve().parent / "serving"
HOST = "127.0.0.1"
SERVER, LOAD = 0, 1
"""Processors."""

THREADS = 4 * (os.cpu_count() or 1)
"""The default of --grpc_max_threads."""

NAMES = ["cnn", "cnn_lite", "table"]
CLIENTS, BATCHES = (1, 32), (1, 32)


@dataclass
class Case:
    """One comparison and what was measured of it so far."""

    kind: str
    model: str
    batch: int
    clients: int
    found: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.kind} {self.model}, batch {self.batch}, {self.clients} clients"

    @property
    def data(self) -> str:
        """The model's name without its format."""
        return self.model.removesuffix("_lite")

    def of(self, server: str, what: str) -> float:
        return median(one[what] for one in self.found[server])


class Servers:
    """What is measured, all started; one at a time is busy."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.load = Load(stack)
        self.ports: dict[str, dict[str, int]] = {}

    def start(self, name: str, *command: Any) -> int:
        """A process whose command may have the words `{grpc}` and `{rest}` for its ports; its pid."""
        ports = {kind: free_port(HOST) for kind in ("grpc", "rest")}
        words = [str(word).format(**ports) for word in command]
        process = self._stack.enter_context(pinned(words, SERVER))
        used = [port for kind, port in ports.items() if any(f"{{{kind}}}" in str(word) for word in command)]
        until = time.monotonic() + 60
        while not all(listening(f"{HOST}:{port}") for port in used):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{name} does not listen: {' '.join(words)}")
            time.sleep(0.1)
        self.ports[name] = ports
        return process.pid

    def ours(self, name: str, models: tuple[str, ...], *flags: str) -> int:
        startup = self.folder / f"{name}.config"
        startup.write_text(render([ModelConfig(model, str(self.folder / model), (1,), {}) for model in models]))
        command = (sys.executable, "-m", "ferryman.model_server", f"--model_config_file={startup}", *flags)
        return self.start(name, *command, "--port={grpc}", "--rest_api_port={rest}")

    def measure(self, server: str, case: Case, seconds: float) -> None:
        name = case.model if server.startswith("ours") else case.data
        answered = self.load.ask(
            kind=case.kind,
            port=self.ports[server][case.kind],
            name=name,
            body=str(self.body(case, name)),
            clients=case.clients,
            seconds=seconds,
        )
        if answered["failed"]:
            raise RuntimeError(f"{case.name}: {answered['failed']} calls of {server} failed")
        case.found.setdefault(server, []).append(answered)

    def body(self, case: Case, name: str) -> Path:
        """The request's file; one of LiteRT needs its own: it has the model's name, and the tensor's for the input."""
        plain = self.folder / f"{case.data}.{case.batch}.{case.kind}"
        if name == case.data or case.kind == "rest":
            return plain
        from ferryman.serving.protocol import PredictRequest

        request = PredictRequest.FromString(plain.read_bytes())
        request.model_spec.name = name
        request.inputs["serving_default_image"].CopyFrom(request.inputs["image"])
        del request.inputs["image"]
        renamed = self.folder / f"{name}.{case.batch}.renamed"
        renamed.write_bytes(request.SerializeToString())
        return renamed


class Load:
    """The process that sends requests."""

    def __init__(self, stack: ExitStack) -> None:
        command = [sys.executable, str(HERE / "load.py")]
        self._process = stack.enter_context(pinned(command, LOAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def ask(self, **task: Any) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        answered: dict[str, float] = json.loads(self._process.stdout.readline())
        return answered


@contextmanager
def pinned(command: list[str], processor: int, **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    """A process on one processor, ended at the end."""
    here = Path("/dev/null") if "stdout" not in pipes else None
    with ExitStack() as stack:
        if here:
            pipes["stdout"] = pipes["stderr"] = stack.enter_context(here.open("w"))
        process = subprocess.Popen(["taskset", "-c", str(processor), *command], text=True, **pipes)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def speed(folder: Path, models: list[str], seconds: float, runs: int) -> None:
    """Every case in every run, ours and the floors one after the other."""
    with ExitStack() as stack:
        servers = Servers(folder, stack)
        servers.ours("ours", ("cnn", "table"))
        if "cnn_lite" in models:
            servers.ours("ours_lite", ("cnn_lite",), "--prefer_tflite_model=true")
        servers.start("echo", sys.executable, HERE / "floors.py", "echo", "{grpc}", "{rest}", folder, THREADS)
        servers.start("plain", sys.executable, HERE / "floors.py", "plain", "{grpc}", folder, THREADS)
        servers.start("json", sys.executable, HERE / "floors.py", "json", "{rest}", folder)
        servers.start("naive", sys.executable, HERE / "floors.py", "naive", "{grpc}", "{rest}", folder)
        cases = [
            Case(kind, model, batch, clients)
            for kind in ("grpc", "rest")
            for model in models
            for batch in BATCHES
            for clients in CLIENTS
        ]
        for _ in range(runs):
            for case in cases:
                run(servers, case, seconds)
    bare = {(model, batch): calls(folder, model, batch, seconds) for model in models for batch in BATCHES}
    for case in cases:
        report(case, bare[case.model, case.batch])


def run(servers: Servers, case: Case, seconds: float) -> None:
    lite = case.model.endswith("_lite")
    servers.measure("ours_lite" if lite else "ours", case, seconds)
    servers.measure("echo", case, seconds)
    servers.measure("plain" if case.kind == "grpc" else "json", case, seconds)
    if not lite:
        servers.measure("naive", case, seconds)


def calls(folder: Path, model: str, batch: int, seconds: float) -> float:
    """Calls a second of the runtime alone."""
    command = [sys.executable, str(HERE / "floors.py"), "bare", str(folder), model, str(batch), str(seconds)]
    with pinned(command, SERVER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        said, _ = process.communicate()
        return float(said)


def report(case: Case, bare: float) -> None:
    ours = "ours_lite" if "ours_lite" in case.found else "ours"
    rate = case.of(ours, "rate")
    floors = {server: case.of(server, "rate") for server in case.found if server != ours} | {"bare": bare}
    for floor, value in floors.items():
        tell(f"{case.name}, beside {floor}", rate, value, "requests/s", len(case.found[ours]))
    tell(f"{case.name}, p99 beside p50", case.of(ours, "p99"), case.of(ours, "p50"), "ms", len(case.found[ours]))


def tell(name: str, ours: float, floor: float, unit: str, runs: int) -> None:
    line = {"name": name, "ours": round(ours, 3), "floor": round(floor, 3), "ratio": round(ours / floor, 3)}
    print(json.dumps(line | {"unit": unit, "runs": runs}), flush=True)


# Memory


MEASURES = {"Pss": "PSS", "Pss_Anon": "anonymous PSS"}
"""Lines of /proc/PID/smaps_rollup (proc(5)): pages that several processes map are counted by their share. Those of a
library come and go with what else runs on the machine; the anonymous ones are the server's own."""

Held = dict[str, float]
"""Measure -> MiB."""


def memory(folder: Path, requests: int, reloads: int, step: int) -> None:
    """Proportional set size of the server's processes over mixed requests, and over reloads that swap two versions."""
    second = folder / "cnn" / "2"
    if not second.exists():
        subprocess.run(["cp", "-r", str(folder / "cnn" / "1"), str(second)], check=True)
    with ExitStack() as stack:
        servers = Servers(folder, stack)
        pid = servers.ours("ours", ("cnn", "table"))
        case_of = [Case(kind, model, 1, 8) for kind in ("grpc", "rest") for model in ("cnn", "table")]
        series = []
        for done in range(0, requests, step):
            for case in case_of:
                send(servers, case, step // len(case_of))
            series.append((done + step, held(pid)))
        tell_series("requests", series, "MiB a 100,000 requests", 100_000)
        tell_series("reloads", list(swapped(servers, pid, reloads)), "MiB a 100 reloads", 100)


def send(servers: Servers, case: Case, requests: int) -> None:
    body, port = str(servers.body(case, case.model)), servers.ports["ours"][case.kind]
    answered = servers.load.ask(
        kind=case.kind, port=port, name=case.model, body=body, clients=case.clients, requests=requests
    )
    if answered["failed"]:
        raise RuntimeError(f"{case.name}: {answered['failed']} calls failed")


def swapped(servers: Servers, pid: int, reloads: int) -> Iterator[tuple[int, Held]]:
    """How much is held after each tenth reload, each awaited until the version serves and the other has ended."""
    import grpc

    with grpc.insecure_channel(f"{HOST}:{servers.ports['ours']['grpc']}") as channel:
        stub = Stub(channel, MODELS)
        for number in range(1, reloads + 1):
            version = 1 + number % 2
            configs = [ModelConfig("cnn", str(servers.folder / "cnn"), (version,), {})]
            stub.HandleReloadConfigRequest(reload_request(configs), timeout=60)
            await_alone(stub, version)
            if number % 10 == 0:
                yield number, held(pid)


def await_alone(stub: Any, version: int) -> None:
    from ferryman.serving.protocol import GetModelStatusRequest

    request = GetModelStatusRequest()
    request.model_spec.name = "cnn"
    available, ended = 30, 50
    until = time.monotonic() + 60
    while time.monotonic() < until:
        states = {one.version: one.state for one in stub.GetModelStatus(request, timeout=20).model_version_status}
        if states.pop(version, None) == available and set(states.values()) <= {ended}:
            return
        time.sleep(0.02)
    raise RuntimeError(f"version {version} is not alone after 60 s: {states}")


def held(pid: int) -> Held:
    """What the process and all below it hold."""
    total = dict.fromkeys(MEASURES, 0.0)
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            measure, _, size = line.partition(":")
            if measure in total:
                total[measure] += int(size.split()[0]) / 1024
        for task in Path(f"/proc/{process}/task").iterdir():
            waiting += [int(word) for word in (task / "children").read_text().split()]
    return total


def tell_series(over: str, series: list[tuple[int, Held]], unit: str, per: int) -> None:
    """From a fifth on: before, the server warms up."""
    for measure, name in MEASURES.items():
        taken = [[number, round(found[measure], 1)] for number, found in series]
        at, values = (np.array(column, float) for column in zip(*taken[len(taken) // 5 :], strict=True))
        slope = float(np.polyfit(at, values, 1)[0]) * per if len(values) > 1 else 0.0
        line = {"name": f"{name} over {over}", "start": values[0], "end": values[-1], "slope": round(slope, 3)}
        print(json.dumps(line | {"unit": unit, "series": taken}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["speed", "memory"], default="speed")
    parser.add_argument("--quick", action="store_true", help="one short run: whether it works, not how fast")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(HERE / "models.py"), folder], check=True, stderr=subprocess.DEVNULL)
        if chosen.what == "speed":
            speed(Path(folder), chosen.models, *((0.3, 1) if chosen.quick else (0.8, 4)))
        if chosen.what == "memory":
            memory(Path(folder), *((8_000, 20, 2_000) if chosen.quick else (200_000, 300, 10_000)))


if __name__ == "__main__":
    main()
