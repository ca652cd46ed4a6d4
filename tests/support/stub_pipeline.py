"""A small pipeline with steps that take no time, to try the local runner's edges on: it is run as any other."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAULTS = ("", "raise", "data", "kill", "exit", "nan", "bytes", "bytes-exit", "wait", "linger", "child")
HUNGRY = ("hungry", "hungry-child", "hungry-before")
"""Faults for containers, whose memory has a limit: the step, a child of it, a child before it calls itself one."""


def compile_stub(out: Path, dress: Callable[[str, Any], None] = lambda step, task: None) -> None:
    """Compile first -> second, with `record` as the exit handler; `fault` says what goes wrong in `second`."""
    from kfp import dsl
    from kfp.compiler import Compiler
    from kfp.dsl import Artifact, Input, Metrics, Output

    from ferryman.steps.component import dressed, step

    @step("first")
    def first(root: str, run_id: str, job: str, text: str, made: Output[Artifact]):  # type: ignore[no-untyped-def]
        from stub_pipeline import make

        make(root, run_id, job, text, made.path)

    @step("second")
    def second(root: str, run_id: str, job: str, fault: str, made: Input[Artifact], scores: Output[Metrics]) -> str:
        from stub_pipeline import use

        return use(root, run_id, job, fault, made.path, scores)

    @step("record")
    def record(root: str, run_id: str, job: str, status: dsl.PipelineTaskFinalStatus):  # type: ignore[no-untyped-def]
        from ferryman.steps.record.record import write_record

        write_record(root, run_id, job, status.state)

    def pipeline(root: str, run_id: str, text: str = "x", fault: str = "") -> None:
        place: dict[str, Any] = {"root": root, "run_id": run_id, "job": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
        with dsl.ExitHandler(record(**place)):
            made = first(**place, text=text).outputs["made"]
            second(**place, fault=fault, made=made)

    with dressed(dress):
        Compiler().compile(dsl.pipeline(name="stub")(pipeline), str(out))


def make(root: str, run_id: str, job: str, text: str, folder: str) -> None:
    """The first step: an artifact with one file."""
    from ferryman.artifacts.step import step

    with step("first", root, run_id, job) as run:
        (run.output(Path(folder), kind="stub") / "text").write_text(text, encoding="utf-8")
        run.headline = f"made {len(text)} characters"


def use(root: str, run_id: str, job: str, fault: str, folder: str, scores: Any) -> str:
    """The second step: reads the first's artifact and fails as it is told."""
    from ferryman.artifacts.step import step

    if fault == "exit":
        sys.exit(17)
    if fault == "hungry-before":
        eat(child=True)
    with step("second", root, run_id, job) as run:
        run.input(Path(folder), kind="stub")
        misbehave(fault)
        run.log_metrics(scores, {"length": float("nan") if fault == "nan" else 1.0})
        return (Path(folder) / "text").read_text(encoding="utf-8")


def misbehave(fault: str) -> None:
    """One planted fault."""
    import os
    import signal
    import subprocess
    import time

    from ferryman.errors import DataError

    if fault == "look":
        print(json.dumps(look_round()), flush=True)
    if fault.startswith("hungry"):
        eat(child=fault == "hungry-child")
    if fault == "raise":
        raise ValueError("the real\nreason")
    if fault == "data":
        raise DataError("received 'x', expected a number", line=3)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.startswith("bytes"):
        os.write(1, b"\xff\xfe\x00 not text\n")
    if fault == "bytes-exit":
        os._exit(17)
    if fault == "child":
        subprocess.Popen(["sleep", "60"])
    if fault in {"wait", "linger"}:
        time.sleep(60 if fault == "wait" else 3)


def eat(*, child: bool) -> None:
    """Take memory without end, or have a child do it and go on without it."""
    import subprocess

    if child:
        subprocess.run([sys.executable, "-c", "x = bytearray(1 << 32)"], check=False)
    else:
        bytearray(1 << 32)


def look_round() -> dict[str, Any]:
    """What a step sees and may do where it runs."""
    import os
    import socket

    def works(act: Callable[[], Any]) -> bool:
        try:
            act()
        except OSError:
            return False
        return True

    status = Path("/proc/self/status").read_text()
    return {
        "environment": dict(os.environ),
        "ids": [os.getuid(), os.getgid()],
        "capabilities": next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")),
        "privileges": next(line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs")),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "root": works(lambda: Path("/here").write_text("x")),
        "scratch": works(lambda: Path("/tmp/here").write_text("x")),
    }


def main() -> None:
    """Run a compiled stub: FOLDER COMPILED TEXT FAULT [LIMIT]; the text comes as a file, an argument has a limit."""
    from ferryman_pipelines.runners.local import execute
    from ferryman_pipelines.runners.processes import Processes
    from ferryman_pipelines.runners.tasks import TaskRunner

    folder, compiled, text, fault, *limit = sys.argv[1:]
    run = Path(folder)
    parameters = {
        "root": str(run.parent),
        "run_id": run.name,
        "text": Path(text).read_text(encoding="utf-8"),
        "fault": fault,
    }
    execute(Path(compiled), parameters, TaskRunner(run, Processes(run, {"second": float(limit[0])} if limit else {})))


if __name__ == "__main__":
    from ferryman.process import child_main

    child_main(main)
