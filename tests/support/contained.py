"""The stub pipeline in containers, watched as `ferryman run` watches one: FOLDER COMPILED FAULT IMAGE MEMORY [LIMIT].

`orchestrate FOLDER COMPILED FAULT` is the orchestrator of such a run.
"""

import sys
from pathlib import Path
from typing import Any

import stub_pipeline

from ferryman.process import Process, child_main, spawn
from ferryman_pipelines.runners import watch as watching
from ferryman_pipelines.runners.containers import Containers
from ferryman_pipelines.runners.local import execute
from ferryman_pipelines.runners.request import FILE, Container, RunRequest
from ferryman_pipelines.runners.tasks import TaskRunner

SUPPORT = Path(__file__).resolve().parent
STEPS = ("first", "second", "record")


def compile_contained(out: Path) -> None:
    """The stub, whose steps find this folder."""
    stub_pipeline.compile_stub(out, lambda step, task: task.set_env_variable("PYTHONPATH", str(SUPPORT)))


def request(folder: Path, image: str, memory: int, limit: float = 60.0) -> RunRequest:
    """A run of the stub, each step in a container of its own."""
    return RunRequest(
        **{
            "run": folder.name,
            "name": "stub",
            "origin": "stub.yaml",
            "created": "2026",
            "spec": {},
            "spec_sha256": "0",
        },
        root=str(folder.parent),
        group=str(folder.parent / "group"),
        limits=dict.fromkeys(STEPS, limit),
        containers={step: Container(image=image, memory=memory) for step in STEPS},
    )


def orchestrate(folder: Path, compiled: Path, fault: str) -> None:
    """Walk the stub's DAG."""
    asked = RunRequest.read(folder / FILE)
    parameters = {"root": asked.root, "run_id": asked.run, "text": "four", "fault": fault}
    execute(compiled, parameters, TaskRunner(folder, Containers(asked, reads=[SUPPORT])))


def watch(folder: Path, compiled: str, fault: str, asked: RunRequest) -> int:
    """The run's exit code."""
    words = [sys.executable, __file__, "orchestrate", str(folder), compiled, fault]

    def stub(_: object, **options: Any) -> Process:
        return spawn(words, **{**options, "env": {**options["env"], "PYTHONPATH": str(SUPPORT)}})

    watching.spawn = stub  # type: ignore[assignment]
    folder.mkdir(parents=True, exist_ok=True)
    return watching.watch(asked, lambda step: print(step.step, step.state, flush=True), print).exit_code


if __name__ == "__main__":
    if sys.argv[1] == "orchestrate":
        child_main(lambda: orchestrate(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
    name, pipeline, planted, used, size, *limits = sys.argv[1:]
    run = Path(name)
    sys.exit(watch(run, pipeline, planted, request(run, used, int(size), *map(float, limits))))
