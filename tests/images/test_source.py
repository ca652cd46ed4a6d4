"""The checkout that the running code belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_checkout import Checkout

import ferryman_pipelines
from ferryman.errors import UsageError
from ferryman_pipelines.images.source import find_source


def running_from(monkeypatch: pytest.MonkeyPatch, parent: Path) -> None:
    monkeypatch.setattr(ferryman_pipelines, "__file__", str(parent / "ferryman_pipelines" / "__init__.py"))


def test_code_in_a_checkout_finds_its_dockerfile_and_its_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(tmp_path).make()
    running_from(monkeypatch, checkout.root / "pipelines")
    source = find_source()
    assert (source.dockerfile, source.lock("train")) == (checkout.dockerfile, checkout.lock("train"))
    assert source.revision() == ""


def test_an_install_without_a_checkout_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running_from(monkeypatch, tmp_path / "lib" / "site-packages")
    with pytest.raises(UsageError, match=r"installed without one: .*no Dockerfile.*pip install -e"):
        find_source()
