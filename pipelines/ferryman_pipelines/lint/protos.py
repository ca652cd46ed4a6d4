"""KFP's messages without KFP.

`import kfp` brings its client, its compiler and the Kubernetes client (0.6 s); the messages alone take 0.1 s. Bare modules
stand in the place of the packages that lead to them, and are taken away again: the real ones can still be imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from google.protobuf import json_format

from ferryman.errors import UnavailableError

_STAND_INS = ("kfp", "kfp.kubernetes")


@contextmanager
def _bare_kfp() -> Iterator[None]:
    if "kfp" in sys.modules:
        yield
        return
    found = importlib.util.find_spec("kfp")
    if found is None or found.submodule_search_locations is None:
        raise UnavailableError(
            "to lint needs the packages kfp and kfp-kubernetes; try pip install 'ferryman[pipelines]'"
        )
    folders = list(found.submodule_search_locations)
    for name in _STAND_INS:
        bare = ModuleType(name)
        bare.__path__ = ["/".join([folder, *name.split(".")[1:]]) for folder in folders]
        sys.modules[name] = bare
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "kfp" and not name.endswith("_pb2")]:
            del sys.modules[name]


with _bare_kfp():
    _ir = importlib.import_module("kfp.pipeline_spec.pipeline_spec_pb2")
    _platform = importlib.import_module("kfp.kubernetes.kubernetes_executor_config_pb2")

PipelineSpec, DeploymentConfig = _ir.PipelineSpec, _ir.PipelineDeploymentConfig
PlatformSpec, ExecutorConfig = _ir.PlatformSpec, _platform.KubernetesExecutorConfig
TaskSpec, ComponentSpec, ExecutorSpec = _ir.PipelineTaskSpec, _ir.ComponentSpec, DeploymentConfig.ExecutorSpec
LONG_TYPES = tuple(_ir.ParameterType.ParameterTypeEnum.Value(name) for name in ("STRING", "LIST", "STRUCT"))
ExitStrategy = TaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED


def parsed(document: Any, message: Any) -> tuple[Any, str]:
    """`document` (plain data) as a message like `message`, and no complaint; or an empty one, and what is wrong."""
    try:
        # What is no JSON (NaN, dates, half a surrogate pair) parses and breaks later, or breaks protobuf itself.
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
        return json_format.ParseDict(document, type(message)()), ""
    except json_format.ParseError as error:
        return type(message)(), _words(str(error))
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        return type(message)(), f"no JSON that a message can hold: {error}"


def plain(value: Any) -> Any:
    """A `google.protobuf.Value` as plain data."""
    return json_format.MessageToDict(value)


def _words(complaint: str) -> str:
    """protobuf's complaint in one line: the fields that lead to it, and what is wrong there."""
    text, _, fields = complaint.partition("\n Available Fields(except extensions): ")
    text = re.sub(r"Failed to parse (\w+) field: ", r"\1: ", " ".join(text.split())).rstrip(".")
    known = ", ".join(re.findall(r"'(\w+)'", fields))
    return f"{text} (known there: {known})" if known else text
