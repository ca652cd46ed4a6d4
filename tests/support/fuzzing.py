"""Fires requests near the valid ones at a server process and judges the answers: what fuzz.py does.

Request NUMBER of a seed is always the same bytes.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import grpc
from fuzzed_grpc import message
from fuzzed_names import Shot
from fuzzed_rest import rest
from raw_http import connect, drained, status
from request_models import FACTORS, save_request_model, save_tiny_model
from serving_client import Client, Model, as_text
from serving_target import FLAGS, Started, target

BATCH = 200
"""Requests between two looks at the process."""

LIMIT = 10.0
"""Seconds within which a request must be answered or its connection closed."""

MAY_GROW = 300.0
"""Megabytes that the process may have gained since the end of the first batches: buffers and arenas, not a leak."""

SETTLED = 10
"""Batches until its size is taken."""

INSIDE = re.compile(
    rb"Traceback|File \"|[a-z_]+\.py\b|\b(?:Attribute|Type|Value|Key|Index|Overflow|Memory|Recursion|Assertion|Runtime|"
    rb"NotImplemented|ZeroDivision|OS|IO|Name|Lookup|Import|Buffer|UnicodeDecode|UnicodeEncode|Decode|Connection|Timeout)"
    rb"Error\b|struct\.error|object has no attribute|not subscriptable|positional argument|Exception calling"
)
"""What only a Python program would say."""


SHOWN = 5
"""How many findings of one kind are printed and kept; all are counted."""


@dataclass
class Report:
    """What was seen."""

    folder: Path
    requests: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    sizes: list[float] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    logged: Counter[str] = field(default_factory=Counter)
    """Last line of a traceback in the server's log -> how often: no answer, but noise for whoever runs it."""

    def found(self, number: int, what: str, sent: Shot, answer: bytes = b"") -> None:
        """Count a finding; print and keep the first ones of its kind with their bytes."""
        self.findings[what] += 1
        if self.findings[what] > SHOWN:
            return
        print(
            f"FINDING {number} {what}\n  {sent.kind} {sent.method} {sent.data[:2000]!r}\n  -> {answer[:1000]!r}",
            flush=True,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{number}.{sent.kind}").write_bytes(sent.data)
        (self.folder / f"{number}.answer").write_bytes(b"\n".join([what.encode(), sent.method.encode(), answer]))

    def summary(self) -> dict[str, Any]:
        """What the last line says; `megabytes` are those at the start, after each quarter of the batches, and the most."""
        last = len(self.sizes) - 1
        sizes = (
            [round(self.sizes[last * part // 4]) for part in range(5)] + [round(max(self.sizes))] if last >= 0 else []
        )
        return {
            "requests": self.requests,
            "codes": dict(sorted(self.codes.items())),
            "megabytes": sizes,
            "tracebacks in the log": dict(self.logged),
            "findings": dict(self.findings),
        }


def sent_to_rest(address: str, data: bytes) -> tuple[str, bytes]:
    """Code and bytes of the answer to raw bytes; `none` where the connection is closed, `silent` where it is not."""
    began = time.monotonic()
    with connect(address, LIMIT) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(1)
        except OSError:
            pass
        answer = drained(connection)
    if not answer:
        return ("silent" if time.monotonic() - began >= LIMIT else "none"), answer
    return str(status(answer)), answer


def sent_to_grpc(channel: grpc.Channel, method: str, data: bytes) -> tuple[str, bytes]:
    """Code and text of the answer to a message."""
    try:
        channel.unary_unary(method)(data, timeout=LIMIT)
    except grpc.RpcError as error:
        return error.code().name, (error.details() or "").encode()
    return "OK", b""


def fire(client: Client, number: int, sent: Shot, report: Report) -> None:
    """Send one request and judge its answer."""
    if sent.kind == "rest":
        seen, answer = sent_to_rest(client.rest, sent.data)
    else:
        seen, answer = sent_to_grpc(client.channel, sent.method, sent.data)
    report.codes[f"{sent.kind} {seen}"] += 1
    report.requests += 1
    if (inside := INSIDE.search(answer)) and not INSIDE.search(sent.data):
        report.found(number, f"the program's inside is shown: {seen} with {inside[0].decode()}", sent, answer)
    if seen in {"silent", "DEADLINE_EXCEEDED", "UNAVAILABLE", "0"}:
        report.found(number, f"no answer: {seen}", sent, answer)


def golden(client: Client) -> str:
    """What is wrong with the answers to requests that must work; empty when nothing is."""
    try:
        answer = client.http("POST", "/v1/models/m/versions/1:predict", {"instances": [1.5]})
        if (answer.status, answer.body) != (200, {"predictions": [15.0]}):
            return f"REST answered {answer.status} {answer.raw[:200]!r}"
        values = list(client.predict({"x": [1.5]}, name="m", version=2).outputs["y"].float_val)
    except (OSError, grpc.RpcError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if values == [150.0] else f"gRPC answered {values}"


def megabytes(pid: int) -> float:
    """The resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def look(started: Started, client: Client, number: int, last: Shot, report: Report) -> bool:
    """Look at the process after a batch: whether it lives."""
    if started.process.poll() is not None:
        report.found(number, f"the process ended with {started.process.returncode}", last, started.err[-4000:].encode())
        return False
    if wrong := golden(client):
        report.found(number, f"a golden request failed: {wrong}", last)
    report.sizes.append(megabytes(started.process.pid))
    if len(report.sizes) > SETTLED and report.sizes[-1] - report.sizes[SETTLED] > MAY_GROW:
        report.found(number, f"grown by more than {MAY_GROW:.0f} MB", last)
    return True


def read_log(started: Started, report: Report) -> None:
    """Count the tracebacks in the server's log by their last lines."""
    for part in started.err.split("Traceback (most recent call last):")[1:]:
        ends = [line.strip() for line in part.replace("\\n", "\n").splitlines() if line[:1].strip()]
        report.logged[(ends[0] if ends else "?")[:120]] += 1


def shot_of(seed: int, number: int) -> Shot:
    """Request `number` of a seed."""
    draw = Random(seed * 1_000_000_007 + number)
    return draw.choice((rest, message))(draw)


def fuzz(started: Started, client: Client, seed: int, minutes: float, report: Report) -> None:
    """Fire until the time is over or the process has ended."""
    end, number, alive = time.monotonic() + 60 * minutes, 0, True
    while alive and time.monotonic() < end:
        for _ in range(BATCH):
            fire(client, number, shot_of(seed, number), report)
            number += 1
        alive = look(started, client, number - 1, shot_of(seed, number - 1), report)
    read_log(started, report)


def once(started: Started, client: Client, seed: int, number: int, report: Report) -> None:
    """Fire one request and say what it is."""
    sent = shot_of(seed, number)
    print(sent)
    fire(client, number, sent, report)
    look(started, client, number, sent, report)
    read_log(started, report)


def serve(folder: Path) -> tuple[Started, Client]:
    """A server with the request models."""
    for version, factor in FACTORS.items():
        save_request_model(folder / "m" / str(version), factor)
    save_tiny_model(folder / "tiny" / "1")
    models = [
        Model("m", folder / "m", (1, 2), {"stable": 1, "canary": 2}),
        Model("tiny", folder / "tiny", (1,)),
    ]
    (folder / "models.config").write_text(as_text(*models))
    started = target().start(folder / "server", f"--model_config_file={folder / 'models.config'}", *FLAGS)
    client = started.client()
    client.await_states("m", {1: "AVAILABLE", 2: "AVAILABLE"})
    return started, client
