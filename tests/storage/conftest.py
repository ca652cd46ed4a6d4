"""Packages made for the tests: wheels in a folder that stands for the index, and installed distributions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wheels import Files, Index, with_metadata


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Files], Path]:
    """Puts a wheel where pip, which really runs, looks for it instead of the network."""
    found = Index(tmp_path / "index")
    found.folder.mkdir()
    for name, value in found.settings.items():
        monkeypatch.setenv(name, value)
    return found.publish


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Files], Path]:
    """Puts a distribution on the path of this process, as pip would have; returns its folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(name: str, version: str, files: Files) -> Path:
        for path, content in with_metadata(name, version, files).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder

    return install
