"""The local orchestrator: a process of its own that compiles the run's pipeline and executes the compiled file.

    python -m ferryman_pipelines.runners.local REQUEST.json

It walks the DAG by kfp.local, but every step is started by our own spawner, as a process or as a container: an argument
list without a shell, a log file a step, a time limit, death with its parent, the real reason when it fails. All that
kfp.local prints goes into this process's own log.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from ferryman.artifacts.resolved import without_placeholders
from ferryman.process import child_main
from ferryman.spec import spec_from
from ferryman_pipelines.compile.compiling import compile_spec
from ferryman_pipelines.runners.containers import Containers
from ferryman_pipelines.runners.processes import Processes
from ferryman_pipelines.runners.request import RunRequest
from ferryman_pipelines.runners.tasks import Place, TaskRunner

PIPELINE = "pipeline.yaml"


def main() -> None:
    """Compile and execute the run of the request named on the command line."""
    request = RunRequest.read(Path(sys.argv[1]))
    compiled = request.folder / PIPELINE
    compile_spec(
        spec_from(request.spec), compiled, request.origin, dress=lambda step, task: _dress(request, step, task)
    )
    execute(compiled, arguments(request), TaskRunner(request.folder, place_of(request)))


def place_of(request: RunRequest) -> Place:
    """Where the run's tasks run."""
    return Containers(request) if request.containers else Processes(request.folder, request.limits)


def _dress(request: RunRequest, step: str, task: Any) -> None:
    """Name the image that the step runs in, for whoever reads the compiled file."""
    if request.containers:
        task.set_container_image(request.containers[step].image)


def arguments(request: RunRequest) -> dict[str, Any]:
    """The pipeline's parameters; knobs keep the defaults of the compiled file unless they were set."""
    return {
        "run_root": request.root,
        "group": request.group,
        "run_id": request.run,
        "overrides": without_placeholders(json.dumps(request.overrides)),
    }


def execute(compiled: Path, parameters: dict[str, Any], tasks: TaskRunner) -> None:
    """Run a compiled pipeline by kfp.local, its tasks by `tasks`; RuntimeError when it does not succeed."""
    from kfp import components, local
    from kfp.local import subprocess_task_handler as handler

    _expect(handler.run_local_subprocess, ["full_command", "env_vars"])
    _expect(handler.replace_python_executable, ["full_command", "new_executable"])
    _expect(handler.SubprocessTaskHandler.validate_image, ["self", "image"])
    # The stock runner pastes paths unquoted into a shell, and replaces the text `python3` in data and paths.
    handler.run_local_subprocess = tasks.run
    handler.replace_python_executable = lambda full_command, new_executable: full_command
    # It warns of images without the word `python` in their name, which an image's ID never has.
    handler.SubprocessTaskHandler.validate_image = lambda self, image: None
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(tasks.folder / "artifacts"),
        # Never made: by default kfp makes a temporary folder, which a run that fails or is killed leaves behind.
        workspace_root=str(tasks.folder / "workspace"),
        raise_on_error=True,
    )
    components.load_component_from_file(str(compiled))(**parameters)


def _expect(function: Any, parameters: list[str]) -> None:
    """Notice an upgrade of kfp that moved what we replace."""
    found = list(inspect.signature(function).parameters)
    if found != parameters:
        raise RuntimeError(
            f"kfp.local's {function.__name__} takes {found}, expected {parameters}: another kfp version?"
        )


if __name__ == "__main__":
    child_main(main)
