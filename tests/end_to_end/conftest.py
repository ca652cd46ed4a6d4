"""A user in an empty folder, for every test here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from newcomer import User, eventually, strangers


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Somebody in an empty folder; whatever they started must have ended."""
    yield User(tmp_path)
    assert eventually(lambda: not strangers(tmp_path), 5)
