"""The step `serving_check`: a real server answers the golden set, and its numbers are compared."""

from __future__ import annotations

import os
import shutil
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferryman.artifacts.evidence import AnswerCheck, ServingCheck
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import StepRun, step
from ferryman.golden.compare import compare
from ferryman.golden.golden_set import GoldenSet, Tensors
from ferryman.process import last_line
from ferryman.serving.client import ServerAwayError, ServingClient, ServingError
from ferryman.serving.config import ModelConfig
from ferryman.serving.loading import load_alone
from ferryman.serving.proof import BATCH, golden_answers
from ferryman.serving.rest import RestClient
from ferryman.serving.server import ServerProcess, start_server
from ferryman.serving.tensors import TensorError

if TYPE_CHECKING:
    from ferryman.spec.blocks import Tolerance

VERSION = 1
TIMED = 200
"""Single-row requests that are timed: enough for a 99th percentile that rests on two of them."""

LOAD_LIMIT = 300.0
"""Seconds until the model must be available."""

ENDING = 5.0
"""Seconds in which a server whose connection broke must be seen to end."""


def check_serving(resolved: str, root: str, run_id: str, job: str, model: str, check: str) -> None:
    """Serve the model's SavedModel from a process of its own and compare its answers with the recorded ones.

    A server that cannot load the model, or answers otherwise, is a bad report and no error; a server that cannot even
    start is one.

    Raises:
        UnavailableError, StepError: no server could be started.
    """
    with step("serving_check", root, run_id, job) as run:
        spec = ResolvedRun.parse(resolved).read_spec()
        digest = run.input(Path(model), kind="model").digest
        folder = run.output(Path(check), kind="serving_check")
        golden, card = GoldenSet.read(Path(model) / "golden"), ModelCard.read(Path(model) / FILE)
        asked = Asked(card.name, golden, card.signature)
        report = check_model(Path(model) / "saved_model", asked, spec.gate.served.scaled(card.scale), run.work)
        report = report.model_copy(update={"model": digest})
        report.write(folder / "serving_check.json")
        shutil.copyfile(run.work / "server" / "server.log", folder / "server.log")
        _tell(run, report)


@dataclass(frozen=True)
class Asked:
    """What the server is asked."""

    name: str
    """The model's name."""

    golden: GoldenSet
    signature: str = "serving_default"


def check_model(
    saved_model: Path, asked: Asked, tolerance: Tolerance, work: Path, server: ServerProcess | None = None
) -> ServingCheck:
    """The report on one SavedModel (with an empty digest); `work` is an empty folder.

    A `server` that listens and holds no model saves the start of one; either is stopped at the end.
    """
    base = work / "models" / asked.name
    shutil.copytree(saved_model, base / str(VERSION), copy_function=_link)
    began = time.monotonic()
    # An empty start-up list: what keeps a model from loading is then told by its status, not by a server that ends.
    server = server or start_server([], folder=work / "server")
    try:
        with ServingClient(server.grpc_address) as client:
            failure = _load(client, ModelConfig(asked.name, str(base), (VERSION,)), server)
            report = ServingCheck(
                model="",
                server=server.description,
                stand_in=server.stand_in,
                answers=[],
                absolute=tolerance.absolute,
                relative=tolerance.relative,
                load_seconds=round(time.monotonic() - began, 3),
                failure=failure,
            )
            return report if failure else _compared(report, client, server, asked)
    finally:
        server.stop()


def _load(client: ServingClient, config: ModelConfig, server: ServerProcess) -> str:
    """Load the model; why that failed, or an empty text."""
    try:
        return load_alone(client, config, LOAD_LIMIT)
    except ServerAwayError as error:
        # The connection breaks an instant before the end of the process can be seen.
        if server.process.wait(limit=ENDING).timed_out:
            return f"no word from the server while it loaded: {error.message}"
        return f"the server ended: {last_line(server.process.log)}"


def _compared(report: ServingCheck, client: ServingClient, server: ServerProcess, asked: Asked) -> ServingCheck:
    rest = RestClient(server.rest_url)
    answers = [
        _check("grpc", asked.golden, lambda: golden_answers(client, asked.name, asked.golden, asked.signature), report),
        _check("rest", asked.golden, lambda: rest_answers(rest, asked), report),
    ]
    p50, p99 = _latency(client, asked) if answers[0].ok else (None, None)
    return report.model_copy(
        update={"answers": answers, "p50": p50, "p99": p99, "memory_bytes": peak_memory(server.process.pid)}
    )


def rest_answers(client: RestClient, asked: Asked) -> Tensors:
    """The server's outputs to all golden rows over REST, in the row format; numbers as float32, text as UTF-8 bytes."""
    predictions, golden = [], asked.golden
    for start in range(0, len(golden), BATCH):
        predictions += client.predict(asked.name, golden.rows[start : start + BATCH], signature=asked.signature)
    if predictions and not isinstance(predictions[0], dict):
        # A single output has no name in this format.
        predictions = [{alias: value} for value in predictions for alias in golden.answers]
    return {alias: _column([row[alias] for row in predictions], golden.answers[alias]) for alias in golden.answers}


def _column(values: list[object], like: np.ndarray) -> np.ndarray:
    if like.dtype.kind in "OSU":
        return _texts(values).reshape(len(values), *like.shape[1:])
    return np.array(values, dtype=like.dtype)


def _texts(value: object) -> np.ndarray:
    """The texts of JSON lists, however deep; outputs whose alias ends with `_bytes` come as `{"b64": ...}`."""
    if isinstance(value, list):
        return np.concatenate([_texts(part) for part in value])
    return np.array([b64decode(value["b64"]) if isinstance(value, dict) else str(value).encode()], dtype=object)


def _check(protocol: str, golden: GoldenSet, ask: Callable[[], Tensors], report: ServingCheck) -> AnswerCheck:
    common = {"protocol": protocol, "rows": len(golden)}
    try:
        found = compare(golden.answers, ask(), report.absolute, report.relative)
    except (ServingError, TensorError, KeyError, TypeError, ValueError) as error:
        worst = {"largest_absolute": float("nan"), "largest_relative": float("nan"), "labels_changed": 0}
        return AnswerCheck.model_validate({**common, **worst, "ok": False, "reason": f"no answer: {error}"})
    return AnswerCheck.model_validate(
        {
            **common,
            "ok": found.ok,
            "largest_absolute": found.largest_absolute,
            "largest_relative": found.largest_relative,
            "labels_changed": found.labels_changed,
            "reason": found.reason,
        }
    )


def _latency(client: ServingClient, asked: Asked) -> tuple[float, float]:
    """Median and 99th percentile of single-row requests over gRPC, seconds."""
    seconds = []
    for number in range(TIMED):
        row = number % len(asked.golden)
        inputs = {alias: tensor[row : row + 1] for alias, tensor in asked.golden.raw.items()}
        began = time.perf_counter()
        client.predict(asked.name, inputs, signature=asked.signature)
        seconds.append(time.perf_counter() - began)
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return float(p50), float(p99)


def peak_memory(pid: int) -> int | None:
    """The largest resident size that a process had, in bytes; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return int(peak) * 1024 if peak else None


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _tell(run: StepRun, report: ServingCheck) -> None:
    run.facts["server"] = report.server
    run.facts["stand_in"] = report.stand_in
    if report.failure:
        run.headline = f"{report.server} does not serve it: {report.failure}"
    elif not all(answer.ok for answer in report.answers):
        run.headline = "; ".join(f"{answer.protocol}: {answer.reason}" for answer in report.answers if not answer.ok)
    else:
        largest = max(answer.largest_absolute for answer in report.answers)
        latency = (
            f", p50 {report.p50 * 1000:.1f} ms, p99 {report.p99 * 1000:.1f} ms" if report.p50 and report.p99 else ""
        )
        run.headline = (
            f"{report.answers[0].rows} golden rows over gRPC and REST, largest difference {largest:.2g}{latency}"
        )
