"""What a run keeps of its target, and what is read again when it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import UsageError
from ferryman_pipelines.cli.run import limits_now
from ferryman_pipelines.cli.target import choose
from ferryman_pipelines.runners.request import Container, RunRequest


def asked(folder: Path, text: str) -> RunRequest:
    (folder / "targets.yaml").write_text(text)
    fields = choose("night", folder / "targets.yaml").fields()
    known = {"run": "r", "name": "m", "origin": "m.yaml", "created": "2026", "spec": {}, "spec_sha256": "0"}
    return RunRequest.model_validate({**known, **fields, "root": str(folder), "group": str(folder)})


def test_a_raised_limit_holds_for_a_run_that_goes_on(tmp_path: Path) -> None:
    request = asked(tmp_path, "targets: 1\nnight: {kind: local, steps: {train: {limit: 1h}}}\n")
    assert (request.target, request.limits["train"]) == ("night", 3600.0)
    (tmp_path / "targets.yaml").write_text("targets: 1\nnight: {kind: local, steps: {train: {limit: 2h}}}\n")
    assert request.model_copy(update=limits_now(request)).limits["train"] == 7200.0


def test_a_run_does_not_go_on_at_another_kind_of_place(tmp_path: Path) -> None:
    request = asked(tmp_path, "targets: 1\nnight: {kind: local}\n")
    contained = request.model_copy(update={"containers": {"train": Container(image="i", memory=1)}})
    with pytest.raises(UsageError, match="night is of another kind now"):
        limits_now(contained)


def test_a_run_of_before_keeps_its_limits(tmp_path: Path) -> None:
    request = asked(tmp_path, "targets: 1\nnight: {kind: local}\n").model_copy(update={"target": ""})
    assert limits_now(request) == {}


def test_an_unknown_target_is_told_with_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--on dockre: no such target.*docker"):
        choose("dockre", None)
