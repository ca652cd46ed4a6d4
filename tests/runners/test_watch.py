"""A run seen from outside leaves its record, whatever happens to whoever watches it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferryman.errors import UnavailableError
from ferryman_pipelines.runners import watch as watching
from ferryman_pipelines.runners.request import RunRequest


@pytest.mark.parametrize(
    ("error", "outcome", "code", "reason"),
    [
        (UnavailableError("no group process can run: a newer record"), "failed", 7, "no group process can run"),
        (OSError(28, "No space left on device"), "failed", 5, "No space left on device"),
        (KeyboardInterrupt(), "interrupted", 130, "Ctrl-C"),
    ],
)
def test_a_run_that_cannot_be_watched_to_its_end_leaves_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, outcome: str, code: int, reason: str
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(watching, "_orchestrate", fails)
    request = RunRequest(
        **{"run": "r", "name": "m", "origin": "m.yaml", "created": "2026", "spec": {}, "spec_sha256": "0"},
        root=str(tmp_path),
        group=str(tmp_path / "group"),
    )
    request.folder.mkdir()
    record = watching.watch(request, lambda fragment: None)
    assert (record.outcome, record.exit_code) == (outcome, code)
    assert reason in record.reason
    assert json.loads((tmp_path / "r" / "record.json").read_text())["exit_code"] == code
