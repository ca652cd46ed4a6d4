"""What a command says of itself can be typed as it stands."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from ferryman_pipelines.cli.output import program


def placed(folder: Path) -> Path:
    folder.mkdir()
    script = folder / "ferryman"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


def test_the_program_is_called_by_its_name_only_where_the_shell_would_find_this_very_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = placed(tmp_path / "ours"), placed(tmp_path / "other")
    monkeypatch.setattr(sys, "argv", [str(ours), "run"])
    monkeypatch.setenv("PATH", str(ours.parent))
    assert program() == "ferryman"
    monkeypatch.setenv("PATH", str(other.parent))
    assert program() == shlex.quote(str(ours))
    monkeypatch.setenv("PATH", "")
    assert program() == shlex.quote(str(ours))


def test_a_path_that_was_typed_stays_as_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed(tmp_path / "ours")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["ours/ferryman", "run"])
    assert program() == "ours/ferryman"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert program() == "ferryman"
