"""The first code of every local step process: it feeds KFP's executor from files instead of the command line.

    python -m ferryman_pipelines.runners.bootstrap CALL.json

KFP's own way is a shell, one argument with the whole executor input (128 KiB at most) and the step file's folder first
on `sys.path`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

from ferryman.process import child_main


def main() -> None:
    """Run the component that the call names."""
    # With it KFP's executor does without protobuf and the Kubernetes client: 0.04 s instead of a second.
    os.environ["_KFP_RUNTIME"] = "true"
    from kfp.dsl.executor import Executor

    # Read at that import alone; children of the step would otherwise have another environment than the fork server.
    os.environ.pop("_KFP_RUNTIME")

    call = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    component = _load(Path(call["source"]))
    function = getattr(component, call["function"])
    executor = Executor(executor_input=json.loads(call["executor_input"]), function_to_execute=function)
    output = executor.execute()
    if output is not None:
        print(f"executor output: {output}", flush=True)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ephemeral_component", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    child_main(main)
