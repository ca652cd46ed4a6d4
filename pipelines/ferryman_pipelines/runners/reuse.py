"""What a resumed run need not do again: a finished step's result stands while all that it depended on is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.artifacts.manifest import digest_of, verify
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError
from ferryman.storage.local import atomic_write
from ferryman_pipelines.runners.call import Call

NEVER = frozenset({"record"})
"""The record is merged anew whenever a run goes on."""


class Reuse:
    """Keeps `done/STEP.json` in the run's folder: the key of a finished step and its executor output.

    `code` names the code that a step runs, so that other code is another result.
    """

    def __init__(self, run: Run, code: Callable[[str], str]) -> None:
        self._run, self._code = run, code

    def keep(self, call: Call) -> None:
        """Remember that this call ended well."""
        fragment = self._run.fragment(call.function)
        if call.function in NEVER or not fragment or not fragment.final:
            return
        output = call.output_file.read_text(encoding="utf-8") if call.output_file.is_file() else None
        document = {"key": self._key(call), "output": output, "artifacts": _sealed(call)}
        atomic_write(self._path(call), json.dumps(document, indent=1).encode())

    def take(self, call: Call) -> bool:
        """Whether an earlier attempt's result stands; it is then put where KFP looks for this attempt's."""
        try:
            document = json.loads(self._path(call).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        fragment = self._run.fragment(call.function)
        if not fragment or not fragment.final:
            return False
        try:
            same = document["key"] == self._key(call) and _whole(document["artifacts"])
        except (ArtifactError, KeyError, TypeError):
            return False
        if not same:
            return False
        if document["output"] is not None:
            call.output_file.parent.mkdir(parents=True, exist_ok=True)
            call.output_file.write_text(document["output"], encoding="utf-8")
        self._run.write_fragment(fragment.model_copy(update={"reused": True}))
        return True

    def _key(self, call: Call) -> str:
        """All that the step's result depends on: code, source, parameters, input artifacts by content."""
        inputs = call.executor_input.get("inputs", {})
        # `job` is new on each attempt and names nothing locally, where the run has an id of its own.
        parameters = {name: value for name, value in inputs.get("parameterValues", {}).items() if name != "job"}
        artifacts = {name: digest_of(path) for name, path in _paths(inputs).items()}
        parts = [self._code(call.function), call.source, call.function, parameters, artifacts]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _path(self, call: Call) -> Path:
        return self._run.folder / "done" / f"{call.function}.json"


def _paths(part: dict[str, Any]) -> dict[str, Path]:
    """Artifact name -> folder, for the artifacts of an executor input's inputs or outputs."""
    found = {}
    for name, entry in part.get("artifacts", {}).items():
        for artifact in entry.get("artifacts", []):
            found[name] = Path(artifact["uri"])
    return found


def _sealed(call: Call) -> dict[str, str]:
    """Folder -> digest of every output artifact that has a manifest (metrics and reports have none)."""
    outputs = _paths(call.executor_input.get("outputs", {})).values()
    return {str(path): digest_of(path) for path in outputs if (path / "manifest.json").is_file()}


def _whole(artifacts: dict[str, str]) -> bool:
    """Whether every output artifact is still what it was, byte for byte."""
    for folder, digest in artifacts.items():
        path = Path(folder)
        if digest_of(path) != digest:
            return False
        verify(path, json.loads((path / "manifest.json").read_text(encoding="utf-8"))["kind"])
    return True
